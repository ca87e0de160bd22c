"""experiment/environments.py: EnvironmentBatch, when one of its environments fails."""

from __future__ import annotations

import functools
from typing import Any, Callable

import numpy as np
import pytest
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from experiment import environments
from experiment.errors import ConfigurationError


class Sensors(py_environment.PyEnvironment):
    """Nested observations; something happens at a step, counted from 1."""

    def __init__(self, event: Callable[[ts.TimeStep], ts.TimeStep], at: int) -> None:
        super().__init__()
        self._event, self._left = event, at
        self.closed = False
        self.seeds: list[int] = []

    def observation_spec(self) -> Any:
        """A picture, and a dict of two numbers."""
        number = array_spec.ArraySpec([], np.float64, "number")
        picture = array_spec.ArraySpec([2, 2], np.uint8, "picture")
        return {"picture": picture, "car": {"speed": number, "angle": number}}

    def action_spec(self) -> Any:
        """Two actions."""
        return array_spec.BoundedArraySpec([], np.int64, 0, 1, "action")

    def seed(self, seed: int) -> None:
        """Remembers it."""
        self.seeds.append(seed)

    def close(self) -> None:
        """As bad as the rest."""
        self.closed = True
        raise OSError("cannot even close")

    def _reset(self) -> ts.TimeStep:
        self._time = 0
        return ts.restart(self._observation())

    def _step(self, action: Any) -> ts.TimeStep:
        self._time += 1
        self._left -= 1
        step = ts.transition(self._observation(), 1.0)
        return self._event(step) if self._left == 0 else step

    def _observation(self) -> Any:
        time = np.float64(self._time)
        picture = np.full([2, 2], self._time, np.uint8)
        return {"picture": picture, "car": {"speed": time, "angle": -time}}


def crash(step: ts.TimeStep) -> ts.TimeStep:
    """Raises."""
    raise RuntimeError("a crash in step")


def poison_observation(step: ts.TimeStep) -> ts.TimeStep:
    """NaN, deep inside."""
    step.observation["car"]["speed"] = np.float64(np.nan)
    return step


def poison_reward(step: ts.TimeStep) -> ts.TimeStep:
    """Infinite."""
    return step._replace(reward=np.float32(-np.inf))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    ("event", "what"),
    [
        (crash, "RuntimeError: a crash in step"),
        (poison_observation, "the observation is not finite (nan in 1 of 1 numbers)"),
        (poison_reward, "the reward is not finite (-inf in 1 of 1 numbers)"),
    ],
)
def test_any_environment_that_fails_is_made_anew(
    event: Callable[[ts.TimeStep], ts.TimeStep],
    what: str,
    count: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its step is a first one; the others and their episodes go on."""
    made: list[Sensors] = []

    def factory() -> Sensors:
        made.append(Sensors(event, at=2 if len(made) == count - 1 else 0))
        return made[-1]

    batch = environments.batched(factory, count, np.random.SeedSequence(0))
    steps = [batch.reset(), *(batch.step(np.zeros(count, np.int64)) for _ in range(4))]
    speeds = [step.observation["car"]["speed"].tolist() for step in steps]
    assert [own[-1] for own in speeds] == [0, 1, 0, 1, 2]
    assert [own[:-1] for own in speeds] == [[time] * (count - 1) for time in range(5)]
    pictures = [int(step.observation["picture"][-1, 0, 0]) for step in steps]
    assert pictures == [0, 1, 0, 1, 2]
    assert [int(step.step_type[-1]) for step in steps] == [0, 1, 0, 1, 1]
    assert [float(step.reward[-1]) for step in steps] == [0, 1, 0, 1, 1]
    assert steps[2].discount.tolist() == [1] * count
    assert batch.recovery.failures == len(made) - count == 1
    assert made[count - 1].closed
    assert len({seed for each in made for seed in each.seeds}) == count + 1
    [line] = caplog.messages
    assert line.startswith(f"environment {count - 1} failed (")
    assert what in line


def test_any_environment_that_only_fails_is_given_up() -> None:
    """And what the user has to mend is raised as it is."""
    factory = functools.partial(Sensors, crash, at=1)
    batch = environments.batched(factory, 2, np.random.SeedSequence(0))
    batch.reset()
    for _ in range(4):
        batch.step(np.zeros(2, np.int64))
    with pytest.raises(RuntimeError, match="environment 0 failed 5 times in a row"):
        batch.step(np.zeros(2, np.int64))

    def misconfigured(step: ts.TimeStep) -> ts.TimeStep:
        raise ConfigurationError("mend it")

    factory = functools.partial(Sensors, misconfigured, at=1)
    batch = environments.batched(factory, 2, np.random.SeedSequence(0))
    batch.reset()
    with pytest.raises(ConfigurationError, match="mend it"):
        batch.step(np.zeros(2, np.int64))
