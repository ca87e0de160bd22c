"""Environments of EnvPool: a whole batch is stepped by one call, in C++."""

from __future__ import annotations

import functools
from typing import Any

import gin
import numpy as np
import tensorflow as tf
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment.batch_of_one import BatchOfOne
from experiment.envpool_task import EnvPoolTask, checked_name


@gin.configurable
def envpool_environment(
    name: str | None = None, max_episode_steps: int | None = None, num_threads: int = 1
) -> py_environment.PyEnvironment:
    """Makes one environment of EnvPool, or by its method `batch` many at once.

    Time limits work as in `gym_environment`: the last step of a cut-off episode keeps
    its discount.

    Args:
      name: EnvPool's name of it, e.g. `CartPole-v1`.
      max_episode_steps: Time limit in steps; None is the registered one, 0 is none.
      num_threads: Threads that step a batch; several pay only if steps take long.

    Returns:
      The environment, unbatched.

    Raises:
      ConfigurationError: EnvPool is not installed, or cannot make what is named.
    """
    factory = "envpool_environment"
    name = checked_name(factory, name, "CartPole-v1", max_episode_steps, num_threads)
    return EnvPoolEnvironment(
        EnvPoolTask(factory, name, max_episode_steps, num_threads)
    )


class EnvPoolBatch(py_environment.PyEnvironment):
    """Environments that EnvPool steps together.

    A step after a last one ignores the action and is the first of a new episode, for
    each environment alone: EnvPool and TF-Agents agree in this. Only episodes that are
    cut off are begun anew from here.
    """

    def __init__(self, task: EnvPoolTask, count: int) -> None:
        """Takes how many; their seed is a random one until `seed` is called."""
        super().__init__()
        self._task = task
        self._count = count
        self._no_lives = np.zeros(count, np.int32)
        self.seed(None)

    @property
    def batched(self) -> bool:
        """Steps have a leading dimension."""
        return True

    @property
    def batch_size(self) -> int:
        """Its size."""
        return self._count

    @property
    def max_episode_steps(self) -> float:
        """The time limit; larger than any episode if there is none."""
        return self._task.limit

    def observation_spec(self) -> types.NestedArraySpec:
        """Of one environment."""
        return self._task.observation_spec

    def action_spec(self) -> array_spec.ArraySpec:
        """Of one environment."""
        return self._task.action_spec

    def seed(self, seed: int | np.random.SeedSequence | None) -> None:
        """Gives each environment a seed: one derived from this one, and the next ones.

        EnvPool takes seeds only when it makes environments, so they are made anew, and
        the next step is a first one.
        """
        if not isinstance(seed, np.random.SeedSequence):
            seed = np.random.SeedSequence(seed)
        self.close()
        self._seed = int(seed.generate_state(1)[0])

    def close(self) -> None:
        """Leaves the environments as they are; a later step makes new ones."""
        self._pool: Any = None
        self._current_time_step = None

    def _reset(self) -> ts.TimeStep:
        if self._pool is None:
            self._pool = self._task.make_pool(self._count, self._seed)
        observation, self._lives = self._seen(*self._pool.reset())
        self._steps = np.zeros(self._count, np.int64)
        self._last = self._cut_off = np.zeros(self._count, bool)
        return ts.restart(observation, batch_size=self._count)

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        first = self._last
        (observation, lives), reward, terminal = self._advance(np.asarray(action))
        self._steps = np.where(first, 0, self._steps + 1)
        self._cut_off = ~terminal & (self._steps >= self._task.limit)
        self._last = terminal | self._cut_off
        step_type = np.where(self._last, ts.StepType.LAST, ts.StepType.MID)
        ends = terminal | (~first & (lives < self._lives))
        self._lives = lives
        return ts.TimeStep(
            np.where(first, ts.StepType.FIRST, step_type).astype(np.int32),
            np.where(first, 0, reward).astype(np.float32),
            (~ends).astype(np.float32),
            observation,
        )

    def _advance(self, action: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
        """Takes a step; returns what is seen, rewards, which states are terminal."""
        begin = self._cut_off
        if not begin.any():
            return self._advance_some(action, None)
        ids = np.flatnonzero(begin).astype(np.int32)  # What EnvPool can read.
        begun = self._seen(*self._pool.reset(ids))
        reward, terminal = np.zeros(self._count, np.float32), np.zeros_like(begin)
        if begin.all():
            return begun, reward, terminal
        rest = np.flatnonzero(~begin)
        moved, reward[rest], terminal[rest] = self._advance_some(action[rest], rest)

        def merged(begun: np.ndarray, moved: np.ndarray) -> np.ndarray:
            both = np.empty((self._count, *begun.shape[1:]), begun.dtype)
            both[begin], both[rest] = begun, moved
            return both

        return tf.nest.map_structure(merged, begun, moved), reward, terminal

    def _advance_some(
        self, action: np.ndarray, numbers: np.ndarray | None
    ) -> tuple[Any, np.ndarray, np.ndarray]:
        """The same for the environments of these numbers, without resets."""
        observation, reward, terminated, truncated, info = self._pool.step(
            action.astype(self._task.action_dtype, copy=False), numbers
        )
        # EnvPool's own time limit is never met, whatever it calls it.
        return self._seen(observation, info), reward, terminated | truncated

    def _seen(self, observation: Any, info: Any) -> tuple[Any, np.ndarray]:
        """Observations as in the spec, and lives, 0 if their loss ends nothing."""
        lives = info["lives"] if self._task.life_loss_is_terminal else self._no_lives
        return self._task.conform(observation), lives[: len(info["env_id"])]


class EnvPoolEnvironment(BatchOfOne):
    """One environment of EnvPool, or a whole batch at once."""

    def __init__(self, task: EnvPoolTask) -> None:
        """Args: task: What to step."""
        super().__init__(functools.partial(EnvPoolBatch, task))
        self._task = task

    def batch(self, count: int) -> EnvPoolBatch:
        """Makes `count` more of this environment, to be stepped together."""
        return EnvPoolBatch(self._task, count)
