"""Environments of gymnasium, seeded, batched in one process like those of gym.

The only module that imports gymnasium, an extra (`pip install -e '.[gymnasium]'`),
and only when it is asked for.
"""

from __future__ import annotations

import collections
import copy
import difflib
import importlib
from collections.abc import Mapping
from typing import Any

import gin
import numpy as np
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment.batch_of_one import BatchOfOne
from experiment.errors import ConfigurationError, check_number, one_line
from experiment.gym_batch import CUT_OFF, GymBatch

_PICTURES = "rgb_array"


@gin.configurable
def gymnasium_environment(
    name: str | None = None,
    max_episode_steps: int | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> py_environment.PyEnvironment:
    """Makes one environment of gymnasium's registry, or by `batch` many at once.

    An episode that gymnasium calls terminated has ended: its last step has discount 0.
    One that is only truncated keeps its discount, whoever has cut it off: the time
    limit here, or the environment itself.

    Args:
      name: The registered name, e.g. `CartPole-v1`; `module:Name-v1` imports a module
        first.
      max_episode_steps: Time limit in steps; None is the registered one, 0 is none.
      arguments: What the environment is made with beside, e.g. `{'is_slippery': False}`
        for FrozenLake-v1.

    Returns:
      The environment, unbatched.

    Raises:
      ConfigurationError: gymnasium is not installed, or cannot make what is named.
    """
    if not isinstance(name, str):
        raise _wrong(name, "it must be a name that gymnasium knows, e.g. 'CartPole-v1'")
    if max_episode_steps is not None:
        check_number(
            "gymnasium_environment.max_episode_steps",
            max_episode_steps,
            0,
            integer=True,
        )
    _check_arguments(arguments)
    gymnasium = _import_gymnasium()
    try:
        spec = copy.deepcopy(gymnasium.spec(name))
        if max_episode_steps is None:
            max_episode_steps = spec.max_episode_steps
        return GymnasiumEnvironment(Maker(spec, arguments or {}), max_episode_steps)
    except Exception as error:  # The environment's own code may raise anything.
        known = list(gymnasium.registry)
        close = difflib.get_close_matches(name, known, n=3) or known[:3]
        remedy = f"did you mean {' or '.join(close)}?"
        if name in known:
            remedy = "install what it needs, give it other arguments, or choose another"
        why = f"which gymnasium cannot make ({one_line(error)}); {remedy}"
        raise _wrong(name, why) from error


class Maker:
    """Makes gymnasium environments of one kind, each with the methods that gym has."""

    def __init__(self, spec: Any, arguments: Mapping[str, Any]) -> None:
        """Takes an entry of gymnasium's registry, and what to make it with beside."""
        # GymBatch has the time limit, and resets what it steps.
        spec.max_episode_steps = None
        spec.order_enforce = False
        spec.disable_env_checker = True
        self._gymnasium = _import_gymnasium()
        self._spec = spec
        self._arguments = dict(arguments)
        environment = self._make()
        if _PICTURES in environment.metadata.get("render_modes", ()):
            # gymnasium wants to know it when the environment is made.
            self._arguments.setdefault("render_mode", _PICTURES)
        self.observation_spec = spec_of(environment.observation_space, "observation")
        self.action_spec = spec_of(environment.action_space, "action")
        environment.close()
        if not isinstance(self.action_spec, array_spec.ArraySpec):
            raise TypeError(f"it has the actions {environment.action_space}")

    def __call__(self) -> _AsGym:
        """Makes another one."""
        return _AsGym(self._make())

    def _make(self) -> Any:
        return self._gymnasium.make(self._spec, **self._arguments)


class _AsGym:
    """A gymnasium environment, by the methods that `GymBatch` calls."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._seed: int | None = None
        self.close = environment.close

    def seed(self, seed: int) -> None:
        """Is honoured by the next reset."""
        self._seed = seed

    def reset(self) -> Any:
        """Begins an episode; returns the observation."""
        seed, self._seed = self._seed, None
        return self._environment.reset(seed=seed)[0]

    def step(self, action: Any) -> tuple[Any, float, bool, Mapping[str, Any]]:
        """Returns observation, reward, whether the episode is over, and whether cut."""
        observation, reward, terminated, truncated, info = self._environment.step(
            action
        )
        if terminated or truncated:
            info = {CUT_OFF: not terminated}
        return observation, reward, terminated or truncated, info

    def render(self, mode: str) -> np.ndarray:
        """A picture, uint8 [height, width, 3]."""
        if self._environment.render_mode != mode:
            raise NotImplementedError(f"{self._environment} cannot draw itself")
        return np.asarray(self._environment.render())


class GymnasiumEnvironment(BatchOfOne):
    """One gymnasium environment, or a whole batch at once."""

    def __init__(self, make: Maker, max_episode_steps: int | None) -> None:
        """Takes what makes the environments, and their limit; None or 0 is none."""
        step = ts.time_step_spec(make.observation_spec)
        super().__init__(
            lambda count: GymBatch(
                make, count, step, make.action_spec, max_episode_steps
            )
        )


def spec_of(space: Any, name: str) -> types.NestedArraySpec:
    """As TF-Agents' spec_from_gym_space, for a space of gymnasium.

    Args:
      space: A box or discrete ones, or a dict or tuple of spaces.
      name: For the spec.

    Returns:
      A nest like the space's. No bound is the largest number of the dtype.

    Raises:
      TypeError: It is of another kind.
    """
    spaces = _import_gymnasium().spaces
    if isinstance(space, spaces.Dict):
        return collections.OrderedDict(
            (key, spec_of(part, f"{name}/{key}")) for key, part in space.items()
        )
    if isinstance(space, spaces.Tuple):
        return tuple(
            spec_of(part, f"{name}/{number}") for number, part in enumerate(space)
        )
    if isinstance(space, spaces.Discrete):
        low, high = int(space.start), int(space.start + space.n - 1)
    elif isinstance(space, spaces.MultiBinary):
        low, high = 0, 1
    elif isinstance(space, spaces.MultiDiscrete):
        low, high = space.start, space.start + space.nvec - 1
    elif isinstance(space, spaces.Box):
        low, high = space.low, space.high
    else:
        raise TypeError(f"the {name} {space}, of a kind that is not supported")
    return array_spec.BoundedArraySpec(
        space.shape, space.dtype, *_bounds(space.dtype, low, high), name
    )


def _bounds(dtype: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """Finite ones, and one number for all if they are the same, as TF-Agents has it."""
    if np.issubdtype(dtype, np.floating):
        numbers = np.finfo(dtype)
        # EnvPool 0.8 writes no lower bound as C++'s min(), the smallest positive one.
        low = np.where(low == numbers.tiny, numbers.min, np.maximum(low, numbers.min))
        high = np.minimum(high, numbers.max)
    low, high = np.asarray(low), np.asarray(high)
    if low.size and np.all(low == low.flat[0]) and np.all(high == high.flat[0]):
        return low.flat[0], high.flat[0]
    return low, high


def _check_arguments(arguments: Any) -> None:
    if arguments is None:
        return
    if not isinstance(arguments, dict) or not all(
        isinstance(k, str) for k in arguments
    ):
        raise ConfigurationError(
            f"gymnasium_environment.arguments is {arguments!r}; it must be a dict by "
            "names of arguments, e.g. {'is_slippery': False}."
        )


def _wrong(name: Any, why: str) -> ConfigurationError:
    return ConfigurationError(f"gymnasium_environment.name is {name!r}, {why}")


def _import_gymnasium() -> Any:
    try:
        return importlib.import_module("gymnasium")
    except ImportError as error:
        raise ConfigurationError(
            "gymnasium_environment needs gymnasium, which cannot be imported "
            f"({error}); in the checkout, install it by: .venv/bin/pip install -e "
            "'.[gymnasium]'"
        ) from error
