"""A game whose frames are numbers, so each stack of them can be told by hand."""

from __future__ import annotations

from typing import Any

import gin
import gym
import numpy as np

from experiment.environments import GymEnvironment

SIZE = 6

# No episode is longer, so that the number of a frame tells its episode.
LONGEST = 20


class CountingGame(gym.Env):
    """All pixels are the step of the episode, and 20 more for each episode before."""

    observation_space = gym.spaces.Dict(
        {
            "screen": gym.spaces.Box(0, 255, (SIZE, SIZE, 1), np.uint8),
            "number": gym.spaces.Box(0, 255, (1,), np.float32),
        }
    )
    action_space = gym.spaces.Discrete(2)

    def __init__(self, p_fail: float) -> None:
        self._p_fail = p_fail
        self._episode = -1
        self.seed(0)

    def seed(self, seed: int | None = None) -> Any:
        """Decides on lengths and failures."""
        self._random = np.random.default_rng(seed)

    def reset(self, **_: Any) -> Any:
        """Begins the next episode."""
        self._episode = (self._episode + 1) % 12
        self._time = 0
        self._length = int(self._random.integers(1, LONGEST))
        return self._shown()

    def step(self, action: Any) -> Any:
        """Counts on."""
        if self._random.random() < self._p_fail:
            raise RuntimeError("the game is broken")
        self._time += 1
        return self._shown(), 1.0, self._time == self._length, {}

    def _shown(self) -> Any:
        number = LONGEST * self._episode + self._time
        screen = np.full((SIZE, SIZE, 1), number, np.uint8)
        return {"screen": screen, "number": np.array([number], np.float32)}


@gin.configurable
def counting_game(p_fail: float = 0.0) -> GymEnvironment:
    """With episodes of 1 to 12 steps, of which a time limit ends the longer ones."""
    return GymEnvironment(lambda: CountingGame(p_fail), max_episode_steps=12)


def stack_of(number: int, frames: int) -> list[int]:
    """The numbers of the frames that are to be seen with this one, the oldest first."""
    begin = number - number % LONGEST
    return [max(begin, number - age) for age in range(frames - 1, -1, -1)]
