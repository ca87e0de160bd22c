"""One environment, made of a batch."""

from __future__ import annotations

from typing import Callable

import numpy as np
from tf_agents.environments import py_environment, wrappers
from tf_agents.trajectories import time_step as ts
from tf_agents.utils import nest_utils


class BatchOfOne(wrappers.PyEnvironmentBaseWrapper):
    """A batch of one without its leading dimension; makes larger batches of the same.

    Its actions are single arrays.
    """

    def __init__(
        self, make_batch: Callable[[int], py_environment.PyEnvironment]
    ) -> None:
        """Args: make_batch: Makes a batch of so many environments."""
        super().__init__(make_batch(1))
        self._make_batch = make_batch

    def batch(self, count: int) -> py_environment.PyEnvironment:
        """Makes `count` more of this environment, to be stepped together."""
        return self._make_batch(count)

    @property
    def batched(self) -> bool:
        """Not any more."""
        return False

    @property
    def batch_size(self) -> None:
        """None."""
        return None

    def render(self, mode: str = "rgb_array") -> np.ndarray:
        """A picture, uint8 [height, width, 3]."""
        return self._env.render(mode)[0]

    def _reset(self) -> ts.TimeStep:
        return nest_utils.unbatch_nested_array(self._env.reset())

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        return nest_utils.unbatch_nested_array(self._env.step(np.asarray(action)[None]))
