"""Environments of EnvPool: a whole batch is stepped by one call, in C++.

EnvPool is an extra (`pip install 'antiphon[envpool]'`), imported when it is asked for.
Releases 0.8 and 1.x (Python 3.11 and later) are both served.
"""

from __future__ import annotations

import collections
import difflib
import functools
import importlib
import warnings
from typing import Any

import gin
import numpy as np
import tensorflow as tf
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment.batch_of_one import BatchOfOne
from experiment.errors import ConfigurationError, check_number
from experiment.gymnasium_environment import spec_of

# EnvPool's word for no time limit; it counts in C++ ints.
_NO_LIMIT = 2**31 - 1


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
    if not isinstance(name, str):
        raise _wrong(name, "it must be a name that EnvPool knows, e.g. 'CartPole-v1'")
    if max_episode_steps is not None:
        check_number(
            "envpool_environment.max_episode_steps", max_episode_steps, 0, integer=True
        )
    check_number("envpool_environment.num_threads", num_threads, 1, integer=True)
    return EnvPoolEnvironment(Task(name, max_episode_steps, num_threads))


class Task:
    """What to step, by the arguments of `envpool_environment`: makes pools of it."""

    def __init__(
        self, name: str, max_episode_steps: int | None, num_threads: int
    ) -> None:
        self._envpool = _import_envpool()
        self._name = name
        self._num_threads = num_threads
        spec = self._make_spec()
        if max_episode_steps is None:
            max_episode_steps = int(spec.config.max_episode_steps)
        # Steps after which an episode is cut off.
        self.limit = min(max_episode_steps or _NO_LIMIT, _NO_LIMIT)
        self._takes_seeds = "env_seed" in spec.config._fields  # Not so in 0.8.
        with warnings.catch_warnings():
            # Bounds are given in float64, also those of float32.
            warnings.simplefilter("ignore", UserWarning)
            spaces = (spec.gymnasium_observation_space, spec.gymnasium_action_space)
        try:
            self.observation_spec = spec_of(spaces[0], "observation")
            self.action_spec = spec_of(spaces[1], "action")
        except TypeError as error:
            raise _wrong(name, f"which has {error}; choose another one") from error

    def make_pool(self, count: int, seeds: np.ndarray) -> Any:
        """Makes `count` environments; those of 0.8 have the first seed, and its next.

        EnvPool counts the steps for itself too; its limit is set where it is never
        met, because it tells nobody whether an episode that ends there has ended.
        """
        numbers = [int(seed) % (_NO_LIMIT - count) for seed in seeds]
        pool = self._envpool.make(
            self._name,
            "gymnasium",
            num_envs=count,
            num_threads=min(self._num_threads, count),
            seed=numbers if self._takes_seeds else numbers[0],
            max_episode_steps=min(self.limit + 1, _NO_LIMIT),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            _ = pool.observation_space  # Made now and kept, so that it warns no more.
        return pool

    def _make_spec(self) -> Any:
        name, known = self._name, self._envpool.list_all_envs()
        if name not in known:
            close = difflib.get_close_matches(name, known, n=3) or known[:3]
            meant = f"did you mean {' or '.join(close)}?"
            raise _wrong(name, f"which EnvPool does not know; {meant}")
        try:
            return self._envpool.make_spec(name)
        except ImportError as error:
            reason = str(error).strip().partition("\n")[0]
            why = f"which cannot be made ({reason}); install what it needs"
            raise _wrong(name, why) from error


class EnvPoolBatch(py_environment.PyEnvironment):
    """Environments that EnvPool steps together.

    A step after a last one ignores the action and is the first of a new episode, for
    each environment alone: EnvPool and TF-Agents agree in this. Only episodes that are
    cut off are begun anew from here.
    """

    def __init__(
        self, task: Task, count: int, seed: np.random.SeedSequence | None = None
    ) -> None:
        """Takes how many, and their seed, None for a random one."""
        super().__init__()
        self._task = task
        self._count = count
        self._conform = functools.partial(_conform, task.observation_spec)
        self.seed(seed)

    @property
    def batched(self) -> bool:
        """Steps have a leading dimension."""
        return True

    @property
    def batch_size(self) -> int:
        """Its size."""
        return self._count

    def observation_spec(self) -> types.NestedArraySpec:
        """Of one environment."""
        return self._task.observation_spec

    def action_spec(self) -> array_spec.ArraySpec:
        """Of one environment."""
        return self._task.action_spec

    def seed(self, seed: int | np.random.SeedSequence | None) -> None:
        """Gives each environment its own seed, derived from this one.

        EnvPool takes seeds only when it makes environments, so they are made anew, and
        the next step is a first one.
        """
        if not isinstance(seed, np.random.SeedSequence):
            seed = np.random.SeedSequence(seed)
        self.close()
        self._seeds = seed.generate_state(self._count)

    def close(self) -> None:
        """Ends the threads; a later step starts new ones."""
        self._pool: Any = None
        self._current_time_step = None

    def _reset(self) -> ts.TimeStep:
        if self._pool is None:
            self._pool = self._task.make_pool(self._count, self._seeds)
        observation, _ = self._pool.reset()
        self._steps = np.zeros(self._count, np.int64)
        self._last = self._cut_off = np.zeros(self._count, bool)
        return ts.restart(self._conform(observation), batch_size=self._count)

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        first = self._last
        observation, reward, terminal = self._advance(np.asarray(action))
        self._steps = np.where(first, 0, self._steps + 1)
        self._cut_off = ~terminal & (self._steps >= self._task.limit)
        self._last = terminal | self._cut_off
        step_type = np.where(self._last, ts.StepType.LAST, ts.StepType.MID)
        return ts.TimeStep(
            np.where(first, ts.StepType.FIRST, step_type).astype(np.int32),
            np.where(first, 0, reward).astype(np.float32),
            (~terminal).astype(np.float32),
            observation,
        )

    def _advance(self, action: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
        """Takes a step; returns observations, rewards, which states are terminal."""
        begin = self._cut_off
        if not begin.any():
            return self._advance_some(action, None)
        ids = np.flatnonzero(begin).astype(np.int32)  # What EnvPool can read.
        begun = self._conform(self._pool.reset(ids)[0])
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
        observation, reward, terminated, truncated, _ = self._pool.step(action, numbers)
        # EnvPool's own time limit is never met, whatever it calls it.
        return self._conform(observation), reward, terminated | truncated


class EnvPoolEnvironment(BatchOfOne):
    """One environment of EnvPool, or a whole batch at once."""

    def __init__(self, task: Task) -> None:
        """Args: task: What to step."""
        super().__init__(functools.partial(EnvPoolBatch, task))
        self._task = task

    def batch(
        self, count: int, seed: np.random.SeedSequence | None = None
    ) -> EnvPoolBatch:
        """Makes `count` more of this environment, to be stepped together."""
        return EnvPoolBatch(self._task, count, seed)


def _wrong(name: Any, why: str) -> ConfigurationError:
    return ConfigurationError(f"envpool_environment.name is {name!r}, {why}")


def _import_envpool() -> Any:
    try:
        return importlib.import_module("envpool")
    except ImportError as error:
        raise ConfigurationError(
            f"envpool_environment needs EnvPool, which cannot be imported ({error}); "
            "install it by: pip install 'antiphon[envpool]'"
        ) from error


def _conform(spec: Any, value: Any) -> Any:
    """Arrays of the spec's shape and dtype, with a leading dimension."""
    if isinstance(spec, dict):
        return collections.OrderedDict(
            (key, _conform(part, value[key])) for key, part in spec.items()
        )
    if isinstance(value, dict):  # One entry: its space is that of the entry.
        (value,) = value.values()
        return _conform(spec, value)
    return value.reshape((len(value), *spec.shape)).astype(spec.dtype, copy=False)
