"""Environments that are wrong, each in one way, and others that are right."""

from __future__ import annotations

import time
from typing import Any, Callable

import numpy as np
from tf_agents.environments import py_environment, wrappers
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

LENGTH = 4


class Walk(py_environment.PyEnvironment):
    """Walks some steps; what it sees are random numbers, and how far it is."""

    def __init__(self) -> None:
        super().__init__()
        self.random = np.random.default_rng(0)
        self.place = 0

    def observation_spec(self) -> Any:
        """Two numbers."""
        return array_spec.BoundedArraySpec([2], np.float32, 0.0, float(LENGTH))

    def action_spec(self) -> Any:
        """One of two."""
        return array_spec.BoundedArraySpec([], np.int64, 0, 1)

    def seed(self, seed: Any) -> Any:
        """Decides on the random numbers."""
        self.random = np.random.default_rng(seed)

    def _reset(self) -> ts.TimeStep:
        self.place = 0
        return ts.restart(self.seen())

    def _step(self, action: Any) -> ts.TimeStep:
        if self._current_time_step.is_last():
            return self.reset()
        self.place += 1
        if self.place == LENGTH:
            return ts.termination(self.seen(), 1.0)
        return ts.transition(self.seen(), 1.0)

    def seen(self) -> Any:
        """What an agent sees."""
        return np.array([self.random.random(), self.place], np.float32)


class WrongShape(Walk):
    """One number more than it says."""

    def seen(self) -> Any:
        """Three."""
        return np.zeros(3, np.float32)


class WrongDtype(Walk):
    """NumPy's own dtype."""

    def seen(self) -> Any:
        """float64."""
        return super().seen().astype(np.float64)


class NoArray(Walk):
    """A list."""

    def seen(self) -> Any:
        """Of Python's numbers."""
        return [0.0, 1.0]


class WrongNest(Walk):
    """Parts under names."""

    def seen(self) -> Any:
        """A dict of two."""
        return {"place": super().seen()}


class NotFinite(Walk):
    """Divides by 0."""

    def seen(self) -> Any:
        """NaN at the third step."""
        seen = super().seen()
        return np.where(self.place == 3, np.nan, seen).astype(np.float32)


class OutOfBounds(Walk):
    """Goes farther than it says."""

    def seen(self) -> Any:
        """A number above the largest."""
        return super().seen() + np.float32(0.5)


class WrongReward(Walk):
    """A reward of more precision than is stored."""

    def _step(self, action: Any) -> ts.TimeStep:
        return super()._step(action)._replace(reward=np.float64(1))


class WrongDiscount(Walk):
    """A discount that makes values grow."""

    def _step(self, action: Any) -> ts.TimeStep:
        return super()._step(action)._replace(discount=np.asarray(1.5, np.float32))


class GoesOnAfterTheEnd(Walk):
    """Forgets to begin anew."""

    def _step(self, action: Any) -> ts.TimeStep:
        self.place += 1
        if self.place % LENGTH == 0:
            return ts.termination(np.zeros(2, np.float32), 1.0)
        return ts.transition(np.zeros(2, np.float32), 1.0)


class BeginsInTheMiddle(Walk):
    """No first step."""

    def _reset(self) -> ts.TimeStep:
        return ts.transition(super()._reset().observation, 0.0)


class NoTimeStep(Walk):
    """As gym has it."""

    def _step(self, action: Any) -> Any:
        return self.seen(), 1.0, False, {}


class Raises(Walk):
    """Fails at the second step."""

    def _step(self, action: Any) -> ts.TimeStep:
        if self.place == 1:
            raise KeyError("no such field")
        return super()._step(action)


class Unseeded(Walk):
    """Has no seed."""

    def seed(self, seed: Any) -> Any:
        """As the base class."""
        raise NotImplementedError


class IgnoresTheSeed(Walk):
    """Draws from a generator of its own."""

    def seed(self, seed: Any) -> Any:
        """Is not heard."""
        self.random = np.random.default_rng()


class Reuses(Walk):
    """Writes into the array that it has returned."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = np.zeros(2, np.float32)

    def seen(self) -> Any:
        """The same array each time."""
        self.kept[:] = super().seen()
        return self.kept


class Endless(Walk):
    """Never ends."""

    def _step(self, action: Any) -> ts.TimeStep:
        return ts.transition(super().seen() * 0, 1.0)


class Stalls(Walk):
    """Does not come back."""

    def _step(self, action: Any) -> ts.TimeStep:
        time.sleep(30)  # The line that is told.
        return super()._step(action)


class LimitAsEnd(Walk):
    """Counts to 20, and calls it an end."""

    def _step(self, action: Any) -> ts.TimeStep:
        if self._current_time_step.is_last():
            return self.reset()
        self.place += 1
        seen = np.zeros(2, np.float32)
        if self.place == 20:
            return ts.termination(seen, 1.0)
        return ts.transition(seen, 1.0)


class Batches(Walk):
    """Makes batches of itself, of which it writes into the same array."""

    def batch(self, count: int) -> py_environment.PyEnvironment:
        """One of so many."""
        return BatchOfOneArray(count)


class BatchOfOneArray(Walk):
    """A batch of walks that go in step."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.kept = np.zeros((count, 2), np.float32)

    @property
    def batched(self) -> bool:
        """Always."""
        return True

    @property
    def batch_size(self) -> int:
        """As asked for."""
        return self.count

    def _reset(self) -> ts.TimeStep:
        return ts.restart(self.kept, batch_size=self.count)

    def _step(self, action: Any) -> ts.TimeStep:
        self.kept[:] = 1 - self.kept
        return ts.transition(self.kept, np.ones(self.count, np.float32))


class BatchesGoOn(Walk):
    """Makes batches in which the second walk goes on after its end."""

    def batch(self, count: int) -> py_environment.PyEnvironment:
        """One of so many."""
        return BatchThatGoesOn(count)


class BatchThatGoesOn(BatchOfOneArray):
    """Ends its walks after some steps; the second one is not begun anew."""

    def _reset(self) -> ts.TimeStep:
        return ts.restart(np.copy(self.kept), batch_size=self.count)

    def _step(self, action: Any) -> ts.TimeStep:
        self.place = (self.place + 1) % (LENGTH + 1)
        if self.place == LENGTH:
            return ts.truncation(
                np.copy(self.kept), np.ones(self.count, np.float32), 1.0
            )
        step = ts.transition(np.copy(self.kept), np.ones(self.count, np.float32))
        if self.place == 0:
            step.step_type[np.arange(self.count) != 1] = ts.StepType.FIRST
        return step


def limited(make: Callable[[], Any]) -> Callable[[], Any]:
    """With a time limit of TF-Agents."""
    return lambda: wrappers.TimeLimit(make(), 3)
