"""An environment that takes time, but no processor: as a simulator or a robot would."""

from __future__ import annotations

import time

import gin
import numpy as np
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

_EPISODE_STEPS = 100


@gin.configurable
class WaitingEnvironment(py_environment.PyEnvironment):
    """Waits in each step; what is observed is how many steps there were."""

    def __init__(self, step_s: float = 0.01) -> None:
        """Args: step_s: Seconds that a step takes."""
        super().__init__(handle_auto_reset=True)
        self._step_s = step_s
        self._taken = 0

    def observation_spec(self) -> types.NestedArraySpec:
        """Of the number of steps."""
        return array_spec.ArraySpec([1], np.float32, "steps")

    def action_spec(self) -> types.NestedArraySpec:
        """Two actions, of which none does anything."""
        return array_spec.BoundedArraySpec([], np.int64, 0, 1, "action")

    def seed(self, seed: int) -> None:
        """Nothing is random."""

    def _reset(self) -> ts.TimeStep:
        self._taken = 0
        return ts.restart(np.zeros([1], np.float32))

    def _step(self, action: types.NestedArray) -> ts.TimeStep:
        del action
        time.sleep(self._step_s)  # What the environment is for.
        self._taken += 1
        observation = np.full([1], self._taken, np.float32)
        if self._taken == _EPISODE_STEPS:
            return ts.termination(observation, 1.0)
        return ts.transition(observation, 1.0)
