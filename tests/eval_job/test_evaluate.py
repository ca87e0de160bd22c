"""eval_job/evaluate.py: which weights are judged, and when it ends."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from tf_agents.experimental.distributed import reverb_variable_container

from eval_job import evaluate
from experiment import run_status
from reverb_server import run_tables, tables
from reverb_server.weights import WeightsPuller, assign
from tests.actor.served_run import ServedRun, serve
from tests.eval_job.conftest import Judged, MakeJudge

# A puller that need not be waited for.
_PULL_INTERVAL_S = 0.005

_NO_MORE = -2


class Learner:
    """Publishes weights that can be told apart: all are equal to their train step."""

    def __init__(self, run: ServedRun, judged: Judged) -> None:
        self._container = reverb_variable_container.ReverbVariableContainer(
            run.address, [tables.VARIABLES]
        )
        self._run = run
        agent, train_step = judged.experiment.make_agent(judged.environment)
        self.weights = tables.weights_of(agent, train_step)

    def set(self, train_step: int) -> None:
        """Makes the weights of a train step."""
        for variable in self.weights[reverb_variable_container.POLICY_KEY]:
            variable.assign(np.full(variable.shape, train_step, np.float32))
        self.weights[reverb_variable_container.TRAIN_STEP_KEY].assign(train_step)

    def publish(self, train_step: int) -> None:
        """Makes them, and publishes them."""
        self.set(train_step)
        self._container.push(self.weights, tables.VARIABLES)

    def end(self, train_step: int) -> None:
        """Makes them, and ends the run with them."""
        self.set(train_step)
        status = run_status.MAX_TRAIN_STEPS
        run_tables.announce_end(self._run.address, status, self.weights)


def weights_in(judged: Judged) -> set[float]:
    """The values of all weights of the judge's agent."""
    values = [v.numpy().ravel() for v in judged.agent.policy.variables()]
    return set(np.concatenate(values).tolist())


@pytest.fixture
def judged(make_judge: MakeJudge) -> Judged:
    """Its evaluations earn 1, 2, 3, ..., and the target is 4."""
    return make_judge(itertools.count(1.0), target=4.0)


@pytest.fixture
def run(judged: Judged) -> Iterator[ServedRun]:
    """The run that is judged."""
    with serve(judged.experiment, judged.root_dir) as served:
        yield served


@pytest.fixture
def learner(run: ServedRun, judged: Judged) -> Learner:
    """Has not published anything yet."""
    return Learner(run, judged)


@pytest.fixture
def puller(run: ServedRun, judged: Judged) -> WeightsPuller:
    """Of the judge's agent."""
    puller = WeightsPuller(run.address, judged.variables, _PULL_INTERVAL_S)
    run.members.callback(puller.close)
    return puller


def test_weights_are_judged_when_a_multiple_is_passed(
    judged: Judged, learner: Learner, puller: WeightsPuller
) -> None:
    """Not in between; what was passed during an evaluation is left out."""
    published = iter([0, 50, 99, 100, 130, 250, 299])
    seen = [-1, 2]  # Train step, and how often it was found pulled.

    def is_running() -> bool:
        # Weights that are wanted have been judged when this is called once more.
        current, calls = seen
        seen[1] = calls + 1 if puller._pulled_step == current else 0
        if seen[1] >= 3:
            seen[:] = next(published, _NO_MORE), 0
            if seen[0] != _NO_MORE:
                learner.publish(seen[0])
        return seen[0] != _NO_MORE

    assert not evaluate.evaluate_run(judged.judge, puller, 100, is_running)
    assert [row.train_step for row in judged.rows] == [0, 100, 250]
    assert judged.reports == [(0, 1.0), (100, 2.0), (250, 3.0)]
    assert weights_in(judged) == {250.0}


def test_a_learner_that_goes_back_is_judged_at_the_multiples_after(
    judged: Judged, learner: Learner, puller: WeightsPuller
) -> None:
    """Its checkpoint at once, since it is new; not those that come right after."""
    published = iter([250, 120, 150, 199, 210])
    current, calls = -1, 0

    def is_running() -> bool:
        nonlocal current, calls
        calls = calls + 1 if puller._pulled_step == current else 0
        if calls >= 3:
            current, calls = next(published, _NO_MORE), 0
            if current != _NO_MORE:
                learner.publish(current)
        else:
            calls += current == -1
        return current != _NO_MORE

    evaluate.evaluate_run(judged.judge, puller, 100, is_running)
    assert [row.train_step for row in judged.rows] == [250, 120, 210]


def test_it_ends_when_the_target_is_reached(
    judged: Judged, learner: Learner, puller: WeightsPuller
) -> None:
    """With the weights that reached it in the agent, whatever comes after them."""
    published = itertools.count(10)

    def is_running() -> bool:
        learner.publish(next(published))
        return True

    assert evaluate.evaluate_run(judged.judge, puller, 1, is_running)
    assert [row.average_return for row in judged.rows] == [1.0, 2.0, 3.0, 4.0, 5.0]
    steps = [row.train_step for row in judged.rows]
    assert judged.reports == list(zip(steps, range(1, 6)))
    assert steps[:4] == sorted(set(steps))
    assert steps[4] == steps[3]
    assert weights_in(judged) == {float(steps[3])}


def test_nothing_is_judged_after_the_end(
    judged: Judged, learner: Learner, puller: WeightsPuller
) -> None:
    """The final weights are another function's."""
    learner.publish(0)
    assert not evaluate.evaluate_run(judged.judge, puller, 100, lambda: False)
    assert judged.rows == []


def test_it_can_be_stopped_while_there_are_no_weights(
    judged: Judged, puller: WeightsPuller
) -> None:
    """The learner may never have come up."""
    calls = itertools.chain([True, True], itertools.repeat(False))
    assert not evaluate.evaluate_run(judged.judge, puller, 100, lambda: next(calls))
    assert judged.rows == []


def test_a_long_wait_is_told(
    judged: Judged,
    puller: WeightsPuller,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In the log, with what is waited for, again and again."""
    monkeypatch.setattr(evaluate, "_PATIENCE_S", 0.01)
    told = "no weights of train step 0 or later"
    evaluate.evaluate_run(
        judged.judge,
        puller,
        100,
        lambda: caplog.text.count(told) < 2,
    )
    assert caplog.text.count(told) == 2


@pytest.mark.parametrize(
    ("last_judged", "rows"), [(300, [400]), (400, []), (-1, [400])]
)
def test_the_final_weights_are_judged_unless_they_were(
    last_judged: int, rows: list[int], judged: Judged, run: ServedRun, learner: Learner
) -> None:
    """In any case the agent gets them: the videos show them."""
    learner.end(400)
    evaluate.finish_run(
        judged.judge, run.join("eval_job"), judged.variables, last_judged
    )
    assert [row.train_step for row in judged.rows] == rows
    assert weights_in(judged) == {400.0}
    assert int(judged.train_step) == 400


def test_who_reached_the_target_ends_the_run(
    judged: Judged, run: ServedRun, learner: Learner
) -> None:
    """With the weights that reached it; they are not judged again."""
    learner.set(50)
    assign(judged.variables, learner.weights)
    evaluate.finish_run(judged.judge, run.join("eval_job"), judged.variables, 50)
    status, weights = run_tables.read_end(run.address)
    assert status == run_status.TARGET_REACHED
    assert int(weights[reverb_variable_container.TRAIN_STEP_KEY]) == 50
    for weight in weights[reverb_variable_container.POLICY_KEY]:
        assert set(weight.numpy().ravel().tolist()) == {50.0}
    assert judged.rows == []
