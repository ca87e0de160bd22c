"""CartPole that leaves the processor to others: what fails does not depend on speed.

Training as fast as it can, a run that only waits for something to happen to it would
take the processors from the starts of others, which take seconds of computing each.
"""

from __future__ import annotations

import time

import gin
import gym
from tf_agents.environments import py_environment
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment.environments import GymEnvironment
from experiment.gym_batch import GymBatch

# Seconds that all environments of an actor take for a step; a judge's take none.
_STEP_S = 0.05

_MAX_EPISODE_STEPS = 500


class _UnhurriedBatch(GymBatch):
    def _step(self, action: types.NestedArray) -> ts.TimeStep:
        time.sleep(_STEP_S)  # What it is for.
        return super()._step(action)


@gin.configurable
class UnhurriedCartPole(GymEnvironment):
    """CartPole-v1; each round of a batch takes a while."""

    def __init__(self) -> None:
        super().__init__(lambda: gym.make("CartPole-v1").unwrapped, _MAX_EPISODE_STEPS)

    def batch(self, count: int) -> py_environment.PyEnvironment:
        """Makes `count` of them, to be stepped together."""
        return _UnhurriedBatch(
            self._make,
            count,
            self.time_step_spec(),
            self.action_spec(),
            _MAX_EPISODE_STEPS,
        )
