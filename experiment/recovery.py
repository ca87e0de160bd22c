"""What a batch does when one of its environments fails: it goes on with a new one.

An environment fails if it raises, or gives a number that is NaN or infinite. It is
closed and made anew; its next time step is the first of a new episode.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterable
from typing import Any, Callable, TypeVar

import numpy as np
import tensorflow as tf
from tf_agents.environments import py_environment, wrappers
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment.errors import ConfigurationError

# Failures of one environment, without a good step in between, after which it is no
# glitch.
MAX_IN_A_ROW = 5

# Each of the first failures has a line in the log, and then one of so many.
_LOGGED_SINGLY = 10
_LOGGED_EVERY = 100

Begun = TypeVar("Begun")


class NotFiniteError(ArithmeticError):
    """An environment gave an observation, reward or discount that is not finite."""


class Recovery:
    """Counts the failures of a batch, names them, and gives up on hopeless ones.

    Attributes:
      failures: Of all environments so far.
      active: Number of the environment that is stepped or reset, or was the last; None
        if the batch does not say.
    """

    def __init__(self) -> None:
        """No failures so far, and no seed."""
        self.failures = 0
        self.active: int | None = None
        self._in_a_row: dict[int | None, int] = {}
        self._seeds: np.random.SeedSequence | None = None

    def seed(self, seed: int, count: int) -> np.ndarray:
        """Derives seeds from that of the batch, uint32 [count]."""
        self._seeds = np.random.SeedSequence(seed)
        return self._seeds.generate_state(count)

    def fresh_seed(self) -> int | None:
        """A seed that no environment had yet; None if the batch was not seeded."""
        if self._seeds is None:
            return None
        return int(self._seeds.spawn(1)[0].generate_state(1)[0])

    def restart(
        self, number: int | None, error: Exception, begin: Callable[[], Begun]
    ) -> Begun:
        """Begins an environment anew, again if that fails too.

        Args:
          number: Of the environment; None is the whole batch.
          error: How it failed.
          begin: Makes the environment anew and resets it.

        Returns:
          What `begin` returns.

        Raises:
          ConfigurationError: `error` is one: only the user can mend it.
          RuntimeError: It failed `MAX_IN_A_ROW` times without a good step in between.
        """
        while True:
            if isinstance(error, ConfigurationError):
                raise error
            self._note(number, error)
            try:
                return begin()
            except Exception as again:  # noqa: BLE001  (a user's code raises anything)
                error = again

    def moved(self, numbers: Iterable[int | None]) -> None:
        """Hears which environments have taken a good step, if any has failed before."""
        for number in numbers:
            self._in_a_row.pop(number, None)

    @property
    def has_suspects(self) -> bool:
        """Whether any environment failed and has not taken a good step since."""
        return bool(self._in_a_row)

    def _note(self, number: int | None, error: Exception) -> None:
        """Counts a failure; logs it, or gives up."""
        self.failures += 1
        in_a_row = self._in_a_row[number] = self._in_a_row.get(number, 0) + 1
        who = "the batch of environments" if number is None else f"environment {number}"
        what = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        if in_a_row >= MAX_IN_A_ROW:
            raise RuntimeError(
                f"{who} failed {in_a_row} times in a row: {what}; see the traceback"
            ) from error
        if self.failures <= _LOGGED_SINGLY or self.failures % _LOGGED_EVERY == 0:
            logging.warning(
                "%s failed (%s): it is made anew, and its unfinished trajectory is "
                "dropped; failures of this batch so far: %d",
                who,
                what,
                self.failures,
            )


def close_quietly(environment: Any) -> None:
    """Closes an environment that has failed, so it may fail at this as well."""
    with contextlib.suppress(Exception):
        environment.close()


def seem_finite(*arrays: np.ndarray) -> bool:
    """Whether all numbers are finite for sure: half as long as to look at each.

    A sum of squares is not finite if any number is not. It may also overflow, so after
    a False the numbers have to be looked at.
    """
    total = 0.0
    for array in arrays:
        if array.dtype.kind == "f":
            flat = array.ravel()
            total += flat.dot(flat)
    return math.isfinite(total)


def not_finite(**values: types.NestedArray) -> dict[int, NotFiniteError]:
    """Finds the environments of which a number is NaN or infinite.

    Args:
      **values: By name, what a batch of environments gave, each array [B, ...].

    Returns:
      By the number of each such environment what is wrong, almost always nothing.
    """
    found: dict[int, NotFiniteError] = {}
    for name, value in values.items():
        for array in tf.nest.flatten(value):
            if seem_finite(array):
                continue
            rows = array.reshape(len(array), -1)
            bad = ~np.isfinite(rows)
            for number in np.flatnonzero(bad.any(axis=1)).tolist():
                example = rows[number][bad[number]][0]
                count = f"{bad[number].sum()} of {rows.shape[1]} numbers"
                text = f"the {name} is not finite ({example} in {count})"
                found.setdefault(number, NotFiniteError(text))
    return found


def not_finite_in(step: ts.TimeStep) -> dict[int, NotFiniteError]:
    """The same for a batched time step."""
    return not_finite(
        observation=step.observation, reward=step.reward, discount=step.discount
    )


class RecoveringBatch(wrappers.PyEnvironmentBaseWrapper):
    """A batch that cannot be looked into: all of it is made anew if anything fails."""

    def __init__(
        self,
        batch: py_environment.PyEnvironment,
        make: Callable[[], py_environment.PyEnvironment],
    ) -> None:
        """Takes the batch.

        Args:
          batch: To begin with.
          make: Makes another one, in the place of one that has failed.
        """
        super().__init__(batch)
        self._env = batch
        self._make = make
        self.recovery = Recovery()

    def time_step_spec(self) -> ts.TimeStep:
        """Of one environment."""
        return self._env.time_step_spec()

    def seed(self, seed: int) -> None:
        """Seeds the batch."""
        self.recovery.seed(seed, 0)
        self._env.seed(seed)

    def _reset(self) -> ts.TimeStep:
        try:
            return _checked(self._env.reset())
        except Exception as error:  # noqa: BLE001  (a user's code raises anything)
            return self.recovery.restart(None, error, self._begin)

    def _step(self, action: types.NestedArray) -> ts.TimeStep:
        try:
            step = _checked(self._env.step(action))
        except Exception as error:  # noqa: BLE001  (a user's code raises anything)
            return self.recovery.restart(None, error, self._begin)
        self.recovery.moved([None])
        return step

    def _begin(self) -> ts.TimeStep:
        close_quietly(self._env)
        self._env = self._make()
        seed = self.recovery.fresh_seed()
        if seed is not None:
            self._env.seed(seed)
        return _checked(self._env.reset())


def _checked(step: ts.TimeStep) -> ts.TimeStep:
    """The same batched time step; raises `NotFiniteError` if a number in it is."""
    for number, error in not_finite_in(step).items():
        raise NotFiniteError(f"environment {number}: {error}")
    return step
