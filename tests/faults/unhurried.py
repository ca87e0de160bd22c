"""An environment that leaves the processor to others: what fails has no hurry.

Training as fast as it can, a run that only waits for something to happen to it would
take the processors from the starts of others, which take seconds of computing each.
"""

from __future__ import annotations

import time

import gin
from tf_agents.environments import py_environment, wrappers
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment.environments import EnvironmentFactory, gym_environment

# Seconds that all environments of an actor take for a step; a judge's take none.
_STEP_S = 0.1


class _SlowBatch(wrappers.PyEnvironmentBaseWrapper):
    def _step(self, action: types.NestedArray) -> ts.TimeStep:
        time.sleep(_STEP_S)  # What it is for.
        return self._env.step(action)


class _Unhurried(wrappers.PyEnvironmentBaseWrapper):
    def batch(self, count: int) -> py_environment.PyEnvironment:
        """Makes `count` of them, to be stepped together."""
        return _SlowBatch(self._env.batch(count))


@gin.configurable
def unhurried_environment(
    environment: EnvironmentFactory = gym_environment,
) -> py_environment.PyEnvironment:
    """Another one, of which each round of a batch takes a while."""
    return _Unhurried(environment())
