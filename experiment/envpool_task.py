"""What EnvPool is to step: its name, its options, its specs.

EnvPool is an extra (`pip install -e '.[envpool]'`), imported when it is asked for.
"""

from __future__ import annotations

import collections
import ctypes
import difflib
import importlib
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from tf_agents.specs import array_spec

from experiment.errors import ConfigurationError, check_number, one_line
from experiment.gymnasium_environment import spec_of
from experiment.specs import is_image

# EnvPool's word for no time limit; it counts in C++ ints.
_NO_LIMIT = 2**31 - 1

# Above it is what stands for no bound.
_MOST = 1e30


def checked_name(
    factory: str,
    name: Any,
    example: str,
    max_episode_steps: int | None,
    num_threads: int,
) -> str:
    """Refuses what no task can be made of.

    Args:
      factory: Whose parameters these are, for messages.
      name: EnvPool's name of the environment.
      example: Of such a name.
      max_episode_steps: Time limit in steps; None is the registered one, 0 is none.
      num_threads: Threads that step a batch.

    Returns:
      The name.

    Raises:
      ConfigurationError: The name is no text, or a number is out of range.
    """
    if not isinstance(name, str):
        why = f"it must be a name that EnvPool knows, e.g. {example!r}"
        raise wrong(factory, name, why)
    if max_episode_steps is not None:
        check_number(f"{factory}.max_episode_steps", max_episode_steps, 0, integer=True)
    check_number(f"{factory}.num_threads", num_threads, 1, integer=True)
    return name


class EnvPoolTask:
    """One environment of EnvPool: knows its specs, makes pools of it.

    Attributes:
      limit: Steps after which an episode is cut off.
      life_loss_is_terminal: Whether a lost life has discount 0, in the midst of an
        episode.
      observation_spec: Of one environment; channels of images come last.
      action_spec: Of one environment; numbers are float32, as agents have them.
      action_dtype: EnvPool's own.
    """

    def __init__(
        self,
        factory: str,
        name: str,
        max_episode_steps: int | None,
        num_threads: int,
        options: Mapping[str, Any] | None = None,
        life_loss_is_terminal: bool = False,
    ) -> None:
        """Asks EnvPool for the specs.

        Args:
          factory: Whose parameters these are, for messages.
          name: EnvPool's name of the environment.
          max_episode_steps: Time limit in steps; None is the registered one, 0 is none.
          num_threads: Threads that step a batch.
          options: EnvPool's own, of this environment.
          life_loss_is_terminal: See above; for Atari only.

        Raises:
          ConfigurationError: EnvPool is not installed, or cannot make what is named.
        """
        self._envpool = _import_envpool(factory)
        self._factory = factory
        self._name = name
        self._num_threads = num_threads
        self._options = dict(options or {})
        spec = self._make_spec()
        if max_episode_steps is None:
            max_episode_steps = int(spec.config.max_episode_steps)
        self.limit = min(max_episode_steps or _NO_LIMIT, _NO_LIMIT)
        self.life_loss_is_terminal = life_loss_is_terminal
        with warnings.catch_warnings():
            # Bounds are given in float64, also those of float32.
            warnings.simplefilter("ignore", UserWarning)
            spaces = (spec.gymnasium_observation_space, spec.gymnasium_action_space)
        try:
            seen = spec_of(spaces[0], "observation")
            own = spec_of(spaces[1], "action")
        except TypeError as error:
            why = f"which has {error}; choose another one"
            raise wrong(factory, name, why) from error
        self.action_dtype = own.dtype
        if np.any(np.abs([own.minimum, own.maximum]) > _MOST):
            why = "whose actions have no bounds; choose another one"
            raise wrong(factory, name, why)
        self.action_spec = _as_float32(own)  # Would refuse what float32 cannot hold.
        self._moves_channels = _has_channels_first(spec.config, seen)
        self.observation_spec = _channels_last(seen) if self._moves_channels else seen

    def make_pool(self, count: int, seed: int) -> Any:
        """Makes `count` environments; they have this seed and the next ones.

        EnvPool counts the steps for itself too; its limit is set where it is never
        met, because it tells nobody whether an episode that ends there has ended.

        They are never destroyed: EnvPool 0.8.4 takes a last buffer from the thread that
        makes them, which may have left already, and so may wait for ever, with all
        other threads of Python (docs/design.md).
        """
        pool = self._envpool.make(
            self._name,
            "gymnasium",
            num_envs=count,
            num_threads=min(self._num_threads, count),
            seed=seed % (_NO_LIMIT - count),
            max_episode_steps=min(self.limit + 1, _NO_LIMIT),
            **self._options,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            _ = pool.observation_space  # Made now and kept, so that it warns no more.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(pool))
        return pool

    def conform(self, observation: Any) -> Any:
        """Observations [B, ...] of EnvPool, in the shapes and dtypes of the spec."""
        if self._moves_channels:
            return np.moveaxis(observation, 1, -1)
        return _conform(self.observation_spec, observation)

    def _make_spec(self) -> Any:
        name, known = self._name, self._envpool.list_all_envs()
        if name not in known:
            close = difflib.get_close_matches(name, known, n=3) or known[:3]
            why = f"which EnvPool does not know; did you mean {' or '.join(close)}?"
            raise wrong(self._factory, name, why)
        try:
            known = self._envpool.make_spec(name).config._fields
            if unknown := set(self._options) - set(known):
                why = f"which has no option {min(unknown)}; choose another one"
                raise wrong(self._factory, name, why)
            return self._envpool.make_spec(name, **self._options)
        except (ImportError, RuntimeError) as error:
            why = f"which cannot be made ({one_line(error)}); choose another one, or "
            why += "install what it needs"
            raise wrong(self._factory, name, why) from error


def wrong(factory: str, name: Any, why: str) -> ConfigurationError:
    """What is wrong with a name."""
    return ConfigurationError(f"{factory}.name is {name!r}, {why}")


def _import_envpool(factory: str) -> Any:
    try:
        return importlib.import_module("envpool")
    except ImportError as error:
        raise ConfigurationError(
            f"{factory} needs EnvPool, which cannot be imported ({error}); in the "
            "checkout, install it by: .venv/bin/pip install -e '.[envpool]'"
        ) from error


def _has_channels_first(config: Any, spec: Any) -> bool:
    """Whether it is an image of Atari, VizDoom or Procgen."""
    return (
        isinstance(spec, array_spec.ArraySpec)
        and is_image(spec.shape)
        and ("stack_num" in config._fields or getattr(config, "channel_first", False))
    )


def _channels_last(spec: array_spec.BoundedArraySpec) -> array_spec.BoundedArraySpec:
    """The same image as Keras wants it; pixels have the same bounds everywhere."""
    channels, height, width = spec.shape
    return array_spec.BoundedArraySpec(
        (height, width, channels), spec.dtype, spec.minimum, spec.maximum, spec.name
    )


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


def _as_float32(spec: array_spec.BoundedArraySpec) -> array_spec.BoundedArraySpec:
    """Agents act in float32; MuJoCo has float64."""
    if spec.dtype != np.float64:
        return spec
    bounds = (spec.minimum, spec.maximum)
    return array_spec.BoundedArraySpec(spec.shape, np.float32, *bounds, spec.name)
