"""learner/train.py: the loop of the learner, on a real server."""

from __future__ import annotations

import itertools
from typing import Any, Callable

import pytest
from tf_agents.experimental.distributed import reverb_variable_container

from experiment.settings import Train
from learner import train as train_lib
from learner.trainer import Trainer
from reverb_server import tables
from tests.learner.conftest import Learning, run_until
from tests.reverb_server.waiting import wait_until

# Intervals that have always passed, and that never pass here.
ALWAYS, NEVER = 1e-9, 3_600.0


def settings(**values: Any) -> Train:
    """Neither publishes nor saves unless told to."""
    defaults = {
        "publish_interval_s": NEVER,
        "checkpoint_interval_s": NEVER,
        "steps_per_call": 4,
    }
    return Train(**{**defaults, **values})


def checkpoints(learning: Learning) -> set[int]:
    """The train steps of which there are checkpoints."""
    found = (learning.root_dir / "train" / "checkpoints").glob("ckpt-*.index")
    return {int(path.stem.partition("-")[2]) for path in found}


@pytest.mark.parametrize("steps_per_call", [1, 3, 4])
def test_it_ends_at_exactly_the_last_train_step(
    steps_per_call: int, fed: Learning, trainer: Trainer
) -> None:
    """However many are taken at a time; those before a resume count too."""
    before = fed.publications(), checkpoints(fed)
    begun_at = trainer.train_step
    for last in (begun_at + 7, begun_at + 20):
        cut = settings(steps_per_call=steps_per_call, max_train_steps=last)
        reached = train_lib.train(trainer, cut, lambda: True, nothing, nothing)
        assert reached == trainer.train_step == last
    assert (fed.publications(), checkpoints(fed)) == before


def test_a_run_that_is_done_is_left_as_it_is(fed: Learning, trainer: Trainer) -> None:
    """Or the resume of a finished run would train it further."""
    run_until(trainer, trainer.train_step + 3)
    done = trainer.train_step
    before = fed.publications(), checkpoints(fed)
    for last in (done, done - 2):
        often = settings(
            publish_interval_s=ALWAYS,
            checkpoint_interval_s=ALWAYS,
            max_train_steps=last,
        )
        assert train_lib.train(trainer, often, lambda: True, nothing, nothing) == done
    assert trainer.train_step == done
    assert (fed.publications(), checkpoints(fed)) == before


def nothing(*_: object, **figures: object) -> None:
    """What is reported does not matter here."""


def test_it_ends_when_told_to(trainer: Trainer) -> None:
    """Between two calls of the graph."""
    begun_at = trainer.train_step
    reached = train_lib.train(
        trainer,
        settings(max_train_steps=begun_at + 1_000),
        lambda: trainer.train_step < begun_at + 9,
        nothing,
        nothing,
    )
    # No more batches than 4 are ready at a time.
    assert begun_at + 9 <= reached < begun_at + 9 + 4


def test_it_ends_when_told_to_while_it_is_starved(learning: Learning) -> None:
    """There is nothing to train on, and nothing that would be waited for for ever."""
    answers = itertools.chain([True, True], itertools.repeat(False))
    reached = train_lib.train(
        learning.build(), settings(), lambda: next(answers), nothing, nothing
    )
    assert reached == 0


def test_weights_are_published_again_and_again(fed: Learning, trainer: Trainer) -> None:
    """In each round of the loop, if the interval has passed by then."""
    often = settings(publish_interval_s=ALWAYS, steps_per_call=2)
    before, rounds = fed.publications(), 0

    def is_running() -> bool:
        nonlocal rounds
        wait_until(lambda: fed.publications() == before + rounds)
        rounds += 1
        return rounds <= 6

    reached = train_lib.train(trainer, often, is_running, nothing, nothing)
    assert fed.publications() == before + 6
    container = reverb_variable_container.ReverbVariableContainer(
        fed.run.address, [tables.VARIABLES]
    )
    row = container.pull(tables.VARIABLES)
    newest = int(row[reverb_variable_container.TRAIN_STEP_KEY])
    assert reached - 2 <= newest <= reached  # Published before the last steps.


def test_checkpoints_are_written_again_and_again(
    fed: Learning, trainer: Trainer
) -> None:
    """In each round of the loop, if the interval has passed by then."""
    often = settings(checkpoint_interval_s=ALWAYS, steps_per_call=1)
    begun_at = trainer.train_step
    train_lib.train(
        trainer,
        often,
        lambda: trainer.train_step < begun_at + 3,
        nothing,
        nothing,
    )
    # One at the start is left out if nothing was trained since the restore.
    assert {begun_at + 1, begun_at + 2} <= checkpoints(fed)


def test_figures_are_reported(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the trainer; its speed is counted when it is asked for."""
    monkeypatch.setattr(train_lib, "_REPORT_S", 0.0)
    trainer.figures()
    begun_at = trainer.train_step
    reports: list[dict[str, Any]] = []
    told: list[Callable[[], dict[str, Any]]] = []
    train_lib.train(
        trainer,
        settings(steps_per_call=2, max_train_steps=begun_at + 10),
        lambda: True,
        lambda **figures: reports.append(figures),
        told.append,
    )
    limit, *found = reports
    assert limit == {"max_train_steps": begun_at + 10}
    assert all(report.keys() == trainer.figures().keys() for report in found)
    assert found[-1]["train_step"] == begun_at + 10
    [speed] = told
    rates = [speed()["updates_per_s"] for _ in range(2)]
    assert rates[0] > 0 == rates[1]
    lags = [lag for report in found if (lag := report["policy_lag"]) is not None]
    assert lags == sorted(lags)
    assert begun_at <= lags[0] < lags[-1] <= begun_at + 9
