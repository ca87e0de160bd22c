"""Plays with one environment as no run would: slowly, and looking at each step."""

from __future__ import annotations

import copy
import threading
import time
from typing import Any

import numpy as np
import tensorflow as tf
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from launch.check.time_steps import TimeStepRules


class Player:
    """Plays episodes with random actions, within bounds of steps and of time.

    Attributes:
      rules: What was found wrong with the time steps.
      lengths: Steps of each episode that has ended.
      returns: Of these episodes.
      terminated: How many of them ended with discount 0.
      env_steps: Taken so far, in all episodes.
      reuses: Whether an observation has changed after it was returned.
      doing: Call of the environment that has not come back, if any.
      thread: Number of the thread that plays.
    """

    def __init__(
        self, environment: py_environment.PyEnvironment, seed: int, timeout_s: float
    ) -> None:
        """Starts nothing yet.

        Args:
          environment: Unbatched.
          seed: Of the actions.
          timeout_s: Seconds after which no further call is made.
        """
        self._environment = environment
        self._actions = np.random.RandomState(seed)
        self._timeout_s = timeout_s
        self.rules = TimeStepRules(environment.time_step_spec())
        self.lengths: list[int] = []
        self.returns: list[float] = []
        self.terminated = 0
        self.env_steps = 0
        self.reuses = False
        self.doing: str | None = None
        self.thread = 0
        self._length, self._return = 0, 0.0

    def play(self, episodes: int, env_steps: int) -> None:
        """Plays; ends early if there is nothing to go on with.

        Args:
          episodes: How many, at most.
          env_steps: Steps of all of them, at most.
        """
        self.thread = threading.get_ident()
        deadline = time.monotonic() + self._timeout_s
        step = self._call("reset()", "at the start")
        while (
            step is not None
            and len(self.lengths) < episodes
            and self.env_steps < env_steps
            and time.monotonic() < deadline
        ):
            step = self._advance(step)
        if step is not None and step.is_last():
            step = self._call("step()", "after the last episode")
        if step is not None:
            self._call("reset()", "once more")

    def _advance(self, before: ts.TimeStep) -> ts.TimeStep | None:
        """Takes one step; None if one cannot go on with what it leads to."""
        kept = copy.deepcopy(before.observation)
        place = f"step {self._length + 1} of episode {len(self.lengths) + 1}"
        step = self._call("step()", place)
        pairs = zip(tf.nest.flatten(kept), tf.nest.flatten(before.observation))
        self.reuses |= not all(same(one, two) for one, two in pairs)
        if step is None or step.is_first():
            return step
        self.env_steps += 1
        self._length, self._return = self._length + 1, self._return + float(step.reward)
        if step.is_last():
            self.lengths.append(self._length)
            self.returns.append(self._return)
            self.terminated += float(step.discount) == 0
            self._length, self._return = 0, 0.0
        return step

    def _call(self, call: str, place: str) -> ts.TimeStep | None:
        """Calls the environment; None if one cannot go on with what it returns."""
        spec = self._environment.action_spec()
        action = array_spec.sample_spec_nest(spec, self._actions)
        self.doing = call
        if call == "reset()":
            step = self._environment.reset()
        else:
            step = self._environment.step(action)
        self.doing = None
        return step if self.rules.look(step, call, place) else None


def same(one: Any, two: Any) -> bool:
    """Whether two arrays hold the same, whatever they are."""
    one, two = np.asarray(one), np.asarray(two)
    is_real = one.dtype.kind == "f" and two.dtype.kind == "f"
    return bool(np.array_equal(one, two, equal_nan=is_real))


def first_steps(
    environment: py_environment.PyEnvironment, seed: int, steps: int
) -> list[Any]:
    """Observations of one environment with a seed, under the same random actions.

    Args:
      environment: Unbatched.
      seed: Of the environment.
      steps: How many.

    Returns:
      Nests of arrays: that of the reset, then one for each step.
    """
    actions = np.random.RandomState(0)
    environment.seed(seed)
    seen = [copy.deepcopy(environment.reset().observation)]
    for _ in range(steps):
        action = array_spec.sample_spec_nest(environment.action_spec(), actions)
        step = environment.step(action)
        seen.append(copy.deepcopy(step.observation))
    return seen
