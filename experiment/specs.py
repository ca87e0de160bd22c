"""Specs of environments: in words, and what no agent can take, refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec, tensor_spec
from tf_agents.typing import types
from tf_agents.utils import nest_utils

from experiment.errors import ConfigurationError

# Of NumPy's dtypes: booleans, whole numbers with and without sign, real numbers.
_NUMBERS = "biuf"

# Bounds of more numbers are not listed.
_SHOWN = 4

# Height, width, channels.
_IMAGE_RANK = 3


def leaves(name: str, nest: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a nest, each with its path: `name`, or `name/key` and so on."""
    for path, leaf in nest_utils.flatten_with_joined_paths(nest):
        yield f"{name}/{path}" if path else name, leaf


def describe(spec: array_spec.ArraySpec) -> str:
    """One spec in words: dtype, shape, and bounds if it has some."""
    text = f"{np.dtype(spec.dtype).name}{list(spec.shape)}"
    if not isinstance(spec, array_spec.BoundedArraySpec):
        return text
    return f"{text} in [{_bound(spec.minimum)}, {_bound(spec.maximum)}]"


def describe_nest(name: str, nest: types.NestedSpec) -> str:
    """All parts of a nest in words; of tensors' specs too."""
    parts = list(leaves(name, tensor_spec.to_nest_array_spec(nest)))
    if len(parts) == 1:
        return describe(parts[0][1])
    return ", ".join(f"{path} {describe(spec)}" for path, spec in parts)


def _bound(bound: np.ndarray) -> str:
    """One number if all are the same, some of them, or what they lie between."""
    numbers = np.unique(bound).tolist()
    if len(numbers) == 1:
        return f"{numbers[0]:.4g}"
    if bound.size <= _SHOWN:
        return f"({', '.join(f'{each:.4g}' for each in bound.ravel().tolist())})"
    return f"({numbers[0]:.4g} ... {numbers[-1]:.4g})"


def is_image(shape: tf.TensorShape | tuple[int, ...]) -> bool:
    """Whether one part of one observation is an image: height, width, channels."""
    return len(shape) == _IMAGE_RANK


def check_specs(environment: py_environment.PyEnvironment) -> None:
    """Refuses an environment whose steps cannot be stored, or not be learned from.

    Args:
      environment: Its specs are those of one unbatched step, also if batched.

    Raises:
      ConfigurationError: A part has no fixed shape or is not made of numbers, there is
        none, or the reward is not one float32.
    """
    _check_numbers("observation", environment.observation_spec())
    _check_numbers("action", environment.action_spec())
    reward = environment.reward_spec()
    if reward.dtype != np.float32 or tuple(reward.shape):
        raise ConfigurationError(
            f"the environment's reward is {describe(reward)}; it must be "
            "float32[], one number: leave out reward_spec(), and sum up the parts."
        )


def _check_numbers(name: str, nest: types.NestedArraySpec) -> None:
    """Refuses what cannot be packed, or is nothing; raises `ConfigurationError`."""
    parts = list(leaves(name, nest))
    if not parts:
        raise ConfigurationError(
            f"the environment's {name} is {nest!r}, which has no parts; it must have "
            f"at least one, e.g. {name}_spec() with a constant in it."
        )
    for path, spec in parts:
        dtype, shape = np.dtype(spec.dtype), tuple(spec.shape)
        if dtype.kind not in _NUMBERS:
            raise ConfigurationError(
                f"the environment's {path} is of {dtype.name}; it must be of booleans, "
                "whole or real numbers: leave it out, or turn it into numbers."
            )
        if None in shape:
            raise ConfigurationError(
                f"the environment's {path} is {dtype.name}{list(shape)}, whose shape "
                "is not fixed; it must be: fill it up to the largest."
            )
