"""An environment of which the rewards are known beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types


class ScriptedEnvironment(py_environment.PyEnvironment):
    """Plays given episodes one after another, whatever the actions are.

    The observation is the number of steps taken in the episode.
    """

    def __init__(
        self,
        episodes: Iterable[Sequence[float]],
        picture: tuple[int, int] | None = None,
    ) -> None:
        """Args: episodes: The rewards of each. picture: Height and width, if any."""
        super().__init__(handle_auto_reset=True)
        self._episodes = iter(episodes)
        self._picture = picture
        self._rewards: Sequence[float] = ()
        self._taken = 0
        self.seeds: list[int] = []
        self.actions: list[int] = []
        self.begun = 0

    def observation_spec(self) -> types.NestedArraySpec:
        """Of the number of steps."""
        return array_spec.ArraySpec([1], np.float32, "steps")

    def action_spec(self) -> types.NestedArraySpec:
        """Two actions, as DQN wants them."""
        return array_spec.BoundedArraySpec([], np.int64, 0, 1, "action")

    def seed(self, seed: Any) -> None:
        """Remembers it."""
        self.seeds.append(seed)

    def render(self, mode: str = "rgb_array") -> Any:
        """The whole picture has one shade, which says the step."""
        if self._picture is None:
            return super().render(mode)
        shade = 40 * self._taken % 256
        return np.full([*self._picture, 3], shade, np.uint8)

    def _reset(self) -> ts.TimeStep:
        self._rewards = next(self._episodes)
        self._taken = 0
        self.begun += 1
        return ts.restart(self._observation())

    def _step(self, action: types.NestedArray) -> ts.TimeStep:
        self.actions.append(int(action))
        reward = self._rewards[self._taken]
        self._taken += 1
        if self._taken == len(self._rewards):
            return ts.termination(self._observation(), reward)
        return ts.transition(self._observation(), reward)

    def _observation(self) -> np.ndarray:
        return np.array([self._taken], np.float32)
