"""CartPoles that crash, stall, leak or give numbers that are none, now and then.

A user's module: with this folder as the current one, a preset imports it by
`import faulty_environments` and binds e.g. `Experiment.environment =
@crashing_cartpole`. The same seed has the same faults.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Any, Callable

import gin
import gym
import numpy as np
from gym.envs.classic_control.cartpole import CartPoleEnv
from tf_agents.environments import py_environment, wrappers

from experiment.environments import GymEnvironment

_TIME_LIMIT = 500

# So that none fails several times in a row, which would end its actor.
_GOOD_STEPS = 5


class Faulty(gym.Wrapper):
    """A CartPole with faults, decided on by its own stream of random numbers."""

    def __init__(self) -> None:
        super().__init__(CartPoleEnv())
        self._random = np.random.default_rng()

    def seed(self, seed: int | None = None) -> Any:
        """Seeds CartPole and the faults."""
        self._random = np.random.default_rng(seed)
        return self.env.seed(seed)

    def happens(self, probability: float) -> bool:
        """Whether a fault happens now."""
        return bool(self._random.random() < probability)


class Crashing(Faulty):
    """Raises in `step` and in `reset`."""

    def __init__(self, p_step: float, p_reset: float) -> None:
        super().__init__()
        self._p_step, self._p_reset = p_step, p_reset

    def step(self, action: Any) -> Any:
        """Crashes in so many of all steps."""
        if self.happens(self._p_step):
            raise RuntimeError("a crash in step")
        return self.env.step(action)

    def reset(self, **kwargs: Any) -> Any:
        """Crashes in so many of all resets."""
        if self.happens(self._p_reset):
            raise RuntimeError("a crash in reset")
        return self.env.reset(**kwargs)


class Stalling(Faulty):
    """Takes long for a step."""

    def __init__(self, p_step: float, stall_s: float) -> None:
        super().__init__()
        self._p_step, self._stall_s = p_step, stall_s

    def step(self, action: Any) -> Any:
        """Stalls in so many of all steps."""
        if self.happens(self._p_step):
            time.sleep(self._stall_s)
        return self.env.step(action)


class Poisonous(Faulty):
    """Gives NaN."""

    def __init__(self, p_step: float, what: str) -> None:
        super().__init__()
        self._p_step, self._what = p_step, what

    def step(self, action: Any) -> Any:
        """Gives one NaN in so many of all steps."""
        observation, reward, ended, info = self.env.step(action)
        if self.happens(self._p_step):
            if self._what == "reward":
                reward = np.nan
            else:
                observation = observation.copy()
                observation[2] = np.nan
        return observation, reward, ended, info


class OnDemand(gym.Wrapper):
    """Fails in actor 1 when a file in the current folder says so, by its name.

    It stalls or leaks for as long as `stall` or `leak` is there. `observation` and
    `reward` are for one NaN each, which takes them away; an environment that is new
    has some good steps before. The eval job is spared.
    """

    def __init__(self, mb_per_reset: float) -> None:
        super().__init__(CartPoleEnv())
        self._floats = int(mb_per_reset * 2**20 / 8)
        self._kept: list[np.ndarray] = []
        self._is_victim = "--task=1" in sys.argv
        self._good_steps = 0

    def step(self, action: Any) -> Any:
        """Stalls, or gives a NaN."""
        while self._is_victim and Path("stall").exists():
            time.sleep(0.1)
        observation, reward, ended, info = self.env.step(action)
        self._good_steps += 1
        if self._is_victim and self._good_steps > _GOOD_STEPS:
            if _taken("reward"):
                reward = np.nan
            if _taken("observation"):
                observation = observation.copy()
                observation[2] = np.nan
        return observation, reward, ended, info

    def reset(self, **kwargs: Any) -> Any:
        """Keeps memory for good."""
        if self._is_victim and Path("leak").exists():
            self._kept.append(np.ones(self._floats))
        return self.env.reset(**kwargs)


def _taken(name: str) -> bool:
    """Whether a file was there; it is no more."""
    with contextlib.suppress(FileNotFoundError):
        Path(name).unlink()
        return True
    return False


@gin.configurable
def crashing_cartpole(
    p_step: float = 0.0005, p_reset: float = 0.005, quick: bool = True
) -> py_environment.PyEnvironment:
    """A CartPole that crashes in these shares of its steps and resets."""
    return _environment(lambda: Crashing(p_step, p_reset), quick)


@gin.configurable
def stalling_cartpole(
    p_step: float = 0.0005, stall_s: float = 3_600.0, quick: bool = True
) -> py_environment.PyEnvironment:
    """A CartPole that takes so many seconds for this share of its steps."""
    return _environment(lambda: Stalling(p_step, stall_s), quick)


@gin.configurable
def poisonous_cartpole(
    p_step: float = 0.0005, what: str = "observation", quick: bool = True
) -> py_environment.PyEnvironment:
    """A CartPole that gives NaN in this share of its steps.

    Args:
      p_step: The share.
      what: Is NaN, "observation" or "reward".
      quick: As in `_environment`.
    """
    return _environment(lambda: Poisonous(p_step, what), quick)


@gin.configurable
def on_demand_cartpole(mb_per_reset: float = 40.0) -> py_environment.PyEnvironment:
    """A CartPole that fails in actor 1 as a file in the current folder says."""
    return _environment(lambda: OnDemand(mb_per_reset), quick=True)


def _environment(
    make: Callable[[], gym.Env], quick: bool
) -> py_environment.PyEnvironment:
    """Args: quick: Whether GymBatch steps batches of it, as of gym_environment."""
    environment = GymEnvironment(make, _TIME_LIMIT)
    return environment if quick else wrappers.PyEnvironmentBaseWrapper(environment)
