"""experiment/recovery.py: failures are counted, named, outlived, and not for ever."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment import environments, recovery
from experiment.errors import ConfigurationError
from experiment.recovery import RecoveringBatch, Recovery

CRASH = RuntimeError("the simulator is gone\nand more lines")


def begun() -> str:
    """An environment that can be made anew."""
    return "begun"


def test_a_failure_is_named_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Who, what, and what is done about it."""
    memory = Recovery()
    assert memory.restart(3, CRASH, begun) == "begun"
    assert memory.failures == 1
    assert caplog.messages == [
        "environment 3 failed (RuntimeError: the simulator is gone): it is made anew, "
        "and its unfinished trajectory is dropped; failures of this batch so far: 1"
    ]
    assert caplog.records[0].levelno == logging.WARNING


def test_the_log_is_not_flooded(caplog: pytest.LogCaptureFixture) -> None:
    """Ten lines, then one for each hundred; all are counted."""
    memory = Recovery()
    for _ in range(350):
        memory.restart(0, CRASH, begun)
        memory.moved([0])
    assert memory.failures == 350
    counts = [int(line.rpartition(" ")[2]) for line in caplog.messages]
    assert counts == [*range(1, 11), 100, 200, 300]


def test_one_that_fails_again_and_again_is_given_up() -> None:
    """While it is made anew, too; the error is the last one, with its traceback."""
    errors = [OSError(f"number {number}") for number in range(9)]
    memory, raised = Recovery(), iter(errors[1:])

    def begin() -> None:
        raise next(raised)

    with pytest.raises(
        RuntimeError,
        match=r"^environment 2 failed 5 times in a row: OSError: number 4; see the tra",
    ) as given_up:
        memory.restart(2, errors[0], begin)
    assert given_up.value.__cause__ is errors[4]


def test_a_good_step_forgives_that_environment_only() -> None:
    """The others go on being counted."""
    memory = Recovery()
    for _ in range(recovery.MAX_IN_A_ROW - 1):
        memory.restart(0, CRASH, begun)
        memory.restart(1, CRASH, begun)
    memory.moved([0, 5])
    memory.restart(0, CRASH, begun)
    assert memory.has_suspects
    with pytest.raises(RuntimeError, match="environment 1 failed 5 times"):
        memory.restart(1, CRASH, begun)


def test_a_configuration_error_is_for_the_user() -> None:
    """At the first failure, and while an environment is made anew."""
    error = ConfigurationError("gym_environment.name is wrong")

    def begin() -> None:
        raise error

    for first in (error, CRASH):
        with pytest.raises(ConfigurationError) as raised:
            Recovery().restart(0, first, begin)
        assert raised.value is error


@pytest.mark.parametrize("wish", [KeyboardInterrupt, SystemExit])
def test_a_wish_to_end_is_no_failure(wish: type[BaseException]) -> None:
    """Whoever wants to end the process may do so."""

    def begin() -> None:
        raise wish

    with pytest.raises(wish):
        Recovery().restart(0, CRASH, begin)


def test_fresh_seeds_are_new_and_the_same_each_time() -> None:
    """They follow from the batch's seed; without one there are none."""
    assert Recovery().fresh_seed() is None
    runs = []
    for _ in range(2):
        memory = Recovery()
        given = memory.seed(7, 4).tolist()
        runs.append([*given, *(memory.fresh_seed() for _ in range(4))])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 8


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_found(dtype: Any, value: float) -> None:
    """In nests, of every kind of float; it is said where and what."""
    image = np.ones((3, 2, 2), dtype)
    image[1, 0, 1] = value
    observation = {"image": image, "count": np.ones((3, 1), np.int64)}
    reward = np.array([0, 0, value], dtype)
    found = recovery.not_finite(observation=observation, reward=reward)
    assert {number: str(error) for number, error in found.items()} == {
        1: f"the observation is not finite ({value} in 1 of 4 numbers)",
        2: f"the reward is not finite ({value} in 1 of 1 numbers)",
    }


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8])
def test_large_numbers_are_finite(dtype: Any) -> None:
    """Although their squares are not; integers always are."""
    largest = np.finfo(dtype).max if dtype != np.uint8 else 255
    values = np.full((4, 3), largest, dtype)
    assert recovery.not_finite(observation=values, reward=-values[:, 0]) == {}


class Pool(py_environment.PyEnvironment):
    """Two environments behind one door; rewards are what the script says."""

    def __init__(self, rewards: list[Any]) -> None:
        super().__init__()
        self.script = iter(rewards)
        self.seeds: list[int] = []
        self.closed = False

    @property
    def batched(self) -> bool:
        """Two."""
        return True

    @property
    def batch_size(self) -> int:
        """Two."""
        return 2

    def observation_spec(self) -> types.NestedArraySpec:
        """One number."""
        return array_spec.ArraySpec([1], np.float32, "number")

    def action_spec(self) -> types.NestedArraySpec:
        """Two actions."""
        return array_spec.BoundedArraySpec([], np.int64, 0, 1, "action")

    def seed(self, seed: int) -> None:
        """Remembers it."""
        self.seeds.append(seed)

    def close(self) -> None:
        """Fails as the rest does."""
        self.closed = True
        raise CRASH

    def _reset(self) -> ts.TimeStep:
        return ts.restart(np.zeros((2, 1), np.float32), batch_size=2)

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        rewards = next(self.script)
        if isinstance(rewards, Exception):
            raise rewards
        step = ts.transition(np.ones((2, 1), np.float32), np.zeros(2, np.float32))
        return step._replace(reward=np.float32(rewards))


class Door(Pool):
    """One environment, of which batches are to be had."""

    def __init__(self, scripts: Iterator[list[Any]], pools: list[Pool]) -> None:
        super().__init__([])
        self._scripts, self._pools = scripts, pools

    def batch(self, count: int) -> Pool:
        """The next one."""
        self._pools.append(Pool(next(self._scripts)))
        return self._pools[-1]


def pools_of(*scripts: list[Any]) -> tuple[Any, list[Pool]]:
    """A batch, and the pools that are made for it, each with its script."""
    pools: list[Pool] = []
    door = functools.partial(Door, iter(scripts), pools)
    batch = environments.batched(door, 2, np.random.SeedSequence(1))
    assert type(batch) is RecoveringBatch
    return batch, pools


@pytest.mark.parametrize("failure", [CRASH, [0.0, np.nan]])
def test_a_batch_that_fails_is_made_anew_as_a_whole(
    failure: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """All its environments begin an episode, with another seed."""
    batch, pools = pools_of([[1, 2], failure], [[3, 4], [5, 6]])
    actions = np.zeros(2, np.int64)
    assert batch.reset().is_first().all()
    assert batch.step(actions).reward.tolist() == [1, 2]
    step = batch.step(actions)
    assert step.is_first().all()
    assert step.reward.tolist() == [0, 0]
    assert step.discount.tolist() == [1, 1]
    assert batch.step(actions).reward.tolist() == [3, 4]
    assert batch.recovery.failures == len(pools) - 1 == 1
    assert pools[0].closed
    assert len({seed for pool in pools for seed in pool.seeds}) == 2
    assert caplog.messages[0].startswith("the batch of environments failed (")
    if failure is not CRASH:
        assert "environment 1: the reward is not finite (nan" in caplog.messages[0]


def test_a_batch_that_goes_on_failing_is_given_up() -> None:
    """Not one that works for a step at a time."""
    batch, _ = pools_of(*[[[1, 1], CRASH]] * 20)
    batch.reset()
    for _ in range(30):
        batch.step(np.zeros(2, np.int64))
    assert batch.recovery.failures == 15
    batch, _ = pools_of(*[[CRASH]] * 20)
    batch.reset()
    for _ in range(4):
        batch.step(np.zeros(2, np.int64))
    with pytest.raises(RuntimeError, match="the batch of environments failed 5 times"):
        batch.step(np.zeros(2, np.int64))


def test_the_specs_are_those_of_the_batch() -> None:
    """Also what TF-Agents' wrapper makes up from parts."""
    batch, pools = pools_of([])
    assert batch.time_step_spec() == pools[0].time_step_spec()
    assert batch.batch_size == 2
