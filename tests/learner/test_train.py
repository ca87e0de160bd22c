"""learner/train.py: the loop of the learner, on a real server."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tf_agents.experimental.distributed import reverb_variable_container

from experiment.settings import Train
from learner import train as train_lib
from reverb_server import tables
from tests.learner.conftest import Learning

# Intervals that have always passed, and that never pass here.
ALWAYS, NEVER = 1e-9, 3_600.0


def settings(**values: Any) -> Train:
    """Neither publishes nor saves unless told to."""
    intervals = {"publish_interval_s": NEVER, "checkpoint_interval_s": NEVER}
    return Train(**{**intervals, **values})


def checkpoints(learning: Learning) -> set[str]:
    """The train steps of which there are checkpoints."""
    found = (learning.root_dir / "train" / "checkpoints").glob("ckpt-*.index")
    return {path.stem.partition("-")[2] for path in found}


def publications(learning: Learning) -> int:
    """How often weights were published."""
    limiter = learning.run.info(tables.VARIABLES).rate_limiter_info
    return int(limiter.insert_stats.completed)


@pytest.mark.parametrize("steps_per_call", [1, 3, 1_000])
def test_it_ends_at_exactly_the_last_train_step(
    steps_per_call: int, learning: Learning
) -> None:
    """However many are taken at a time; those before a resume count too."""
    learning.fill()
    trainer = learning.build()
    cut = settings(steps_per_call=steps_per_call)
    for last in (7, 20):
        reached = train_lib.train(trainer, cut, last, lambda: True, lambda **_: None)
        assert reached == trainer.train_step == last
    assert publications(learning) == 0
    assert checkpoints(learning) == set()


def test_a_run_that_is_done_is_left_as_it_is(learning: Learning) -> None:
    """Or the resume of a finished run would train it further."""
    learning.fill()
    trainer = learning.build()
    train_lib.train(trainer, settings(), 5, lambda: True, lambda **_: None)
    for last in (5, 3):
        reached = train_lib.train(trainer, settings(), last, lambda: True, _fail)
        assert reached == 5


def _fail(**figures: Any) -> None:
    pytest.fail(f"reported {figures}")


def test_it_ends_when_told_to(learning: Learning) -> None:
    """Also while there is nothing to train on."""
    trainer = learning.build()
    answers = itertools.chain([True, True], itertools.repeat(False))
    reached = train_lib.train(
        trainer, settings(), 100, lambda: next(answers), lambda **_: None
    )
    assert reached == 0
    learning.fill()
    reached = train_lib.train(
        trainer, settings(), 100, lambda: trainer.train_step < 9, lambda **_: None
    )
    assert 9 <= reached < 9 + 4  # No more batches than these are ready at a time.


def test_weights_are_published_again_and_again(learning: Learning) -> None:
    """In each round of the loop, if the interval has passed by then."""
    learning.fill()
    trainer = learning.build()
    often = settings(publish_interval_s=ALWAYS, steps_per_call=2)
    rounds = 0

    def is_running() -> bool:
        nonlocal rounds
        assert publications(learning) == rounds
        rounds += 1
        return rounds <= 6

    reached = train_lib.train(trainer, often, 1_000, is_running, lambda **_: None)
    assert publications(learning) == 6
    container = reverb_variable_container.ReverbVariableContainer(
        learning.run.address, [tables.VARIABLES]
    )
    row = container.pull(tables.VARIABLES)
    newest = int(row[reverb_variable_container.TRAIN_STEP_KEY])
    assert reached - 2 <= newest <= reached  # Published before the last steps.


def test_checkpoints_are_written_again_and_again(learning: Learning) -> None:
    """In each round of the loop, if the interval has passed by then."""
    learning.fill()
    trainer = learning.build()
    often = settings(checkpoint_interval_s=ALWAYS, steps_per_call=1)
    seen: list[set[str]] = []

    def is_running() -> bool:
        seen.append(checkpoints(learning))
        return trainer.train_step < 3

    train_lib.train(trainer, often, 100, is_running, lambda **_: None)
    assert seen[0] == set()
    assert seen[-1] == {"0", "1", "2"}


def test_figures_are_reported(
    learning: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the trainer, and its speed since the last time."""
    monkeypatch.setattr(train_lib, "_REPORT_S", 0.0)
    learning.fill(policy_train_step=0)
    trainer = learning.build()
    reports: list[dict[str, Any]] = []
    train_lib.train(
        trainer,
        settings(steps_per_call=2),
        10,
        lambda: True,
        lambda **figures: reports.append(figures),
    )
    figures = {"train_step", "loss", "policy_lag", "updates_per_s"}
    assert all(set(report) == figures for report in reports)
    taken = [report for report in reports if report["updates_per_s"] > 0]
    assert taken[-1]["train_step"] == 10
    lags = [report["policy_lag"] for report in taken]
    assert lags == sorted(lags)
    assert 0 <= lags[0] < lags[-1] <= 9
