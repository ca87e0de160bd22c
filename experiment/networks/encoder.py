"""The lower part of a network: from any observation to a vector."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
from tf_agents.networks import nest_map, sequential
from tf_agents.specs import tensor_spec
from tf_agents.typing import types

from experiment import precision
from experiment.errors import ConfigurationError, check_number
from experiment.specs import is_image

# Of one discrete observation; more would be a mistake rather than a one-hot vector.
_MOST_CATEGORIES = 10_000

# Largest value of a uint8, that of a white pixel.
_WHITE = 255.0


def encoder(
    name: str,
    observation_spec: types.NestedTensorSpec,
    layers: Sequence[int],
    conv_layers: Sequence[Sequence[int]],
) -> list[tf.keras.layers.Layer]:
    """Makes the layers of a Sequential network that turn an observation into units.

    A nest of observations is put together into one vector: numbers as they are, a
    discrete one as a one-hot vector, an image through the convolutions, which add no
    border (as in Mnih et al., 2015). Images of bytes are scaled to [0, 1].

    Args:
      name: Of the factory, for messages.
      observation_spec: Of one observation, any nest.
      layers: Units of each dense ReLU layer on top.
      conv_layers: Filters, kernel size and stride of each convolution.

    Returns:
      Layers from observations [B, ...] to [B, units].

    Raises:
      ConfigurationError: A layer has no units, or no layer can take an observation.
    """
    check_layers(f"{name}.layers", layers)
    specs = tf.nest.flatten(observation_spec)
    _check_convolutions(name, conv_layers)
    if conv_layers and not any(is_image(spec.shape) for spec in specs):
        raise ConfigurationError(
            f"{name}.conv_layers is {conv_layers!r}, but no observation is an image of "
            "height, width and channels; leave it out."
        )
    flat = [_of_one(name, spec, conv_layers) for spec in specs]
    if isinstance(observation_spec, tf.TypeSpec):
        return [*flat[0], *(dense(units) for units in layers)]
    parts = [sequential.Sequential(each or [_to_float()]) for each in flat]
    return [
        nest_map.NestMap(tf.nest.pack_sequence_as(observation_spec, parts)),
        nest_map.NestFlatten(),
        tf.keras.layers.Concatenate(),
        *(dense(units) for units in layers),
    ]


def dense(units: int) -> tf.keras.layers.Layer:
    """A ReLU layer that starts as in the TF-Agents DQN tutorial (He et al., 2015)."""
    return tf.keras.layers.Dense(
        units,
        activation="relu",
        kernel_initializer=_he_initializer(),
        dtype=precision.of_hidden_layers(),
    )


def _he_initializer() -> tf.keras.initializers.Initializer:
    """One of its own for each layer, or they would start with the same weights."""
    return tf.keras.initializers.VarianceScaling(
        scale=2.0, mode="fan_in", distribution="truncated_normal"
    )


def _of_one(
    name: str, spec: tf.TypeSpec, conv_layers: Sequence[Sequence[int]]
) -> list[tf.keras.layers.Layer]:
    """Layers from one tensor to a vector; none for what is one."""
    if _is_category(spec):
        depth = int(spec.maximum) + 1
        return [tf.keras.layers.Lambda(lambda number: tf.one_hot(number, depth))]
    if is_image(spec.shape):
        return _of_image(name, spec, conv_layers)
    as_float = [] if spec.dtype.is_floating else [_to_float()]
    return as_float if spec.shape.rank == 1 else [*as_float, _to_vector()]


def _of_image(
    name: str, spec: tf.TypeSpec, conv_layers: Sequence[Sequence[int]]
) -> list[tf.keras.layers.Layer]:
    if not conv_layers:
        raise ConfigurationError(
            f"{name} has no convolutions, but an observation is an image of "
            f"{list(spec.shape)}; bind {name}.conv_layers, e.g. ((32, 8, 4), (64, 4, "
            "2), (64, 3, 1)): filters, kernel size, stride."
        )
    _check_sizes(name, spec, conv_layers)
    scale = 1 / _WHITE if spec.dtype == tf.uint8 else 1.0
    convolutions = [
        tf.keras.layers.Conv2D(
            filters,
            kernel,
            stride,
            activation="relu",
            kernel_initializer=_he_initializer(),
            dtype=precision.of_hidden_layers(),
        )
        for filters, kernel, stride in conv_layers
    ]
    # Of the kind of its neighbours, or numbers would be converted there and back.
    to_vector = tf.keras.layers.Reshape((-1,), dtype=precision.of_hidden_layers())
    return [tf.keras.layers.Rescaling(scale), *convolutions, to_vector]


def _check_sizes(
    name: str, spec: tf.TypeSpec, conv_layers: Sequence[Sequence[int]]
) -> None:
    """Refuses convolutions that what is left of an image is too small for."""
    size = min(spec.shape[:2])
    for number, (_, kernel, stride) in enumerate(conv_layers, start=1):
        if kernel > size:
            raise ConfigurationError(
                f"convolution {number} of {name}.conv_layers has a kernel of {kernel}, "
                f"but of an image of {list(spec.shape)} only {size} pixels are left "
                "there; use a smaller kernel, smaller strides before it, or fewer "
                "convolutions."
            )
        size = (size - kernel) // stride + 1


def _is_category(spec: tf.TypeSpec) -> bool:
    """Whether it is one of some things counted from 0, e.g. a field of FrozenLake."""
    return (
        isinstance(spec, tensor_spec.BoundedTensorSpec)
        and tensor_spec.is_discrete(spec)
        and spec.shape.rank == 0
        and spec.minimum == 0
        and 0 < spec.maximum < _MOST_CATEGORIES
    )


def _to_float() -> tf.keras.layers.Layer:
    return tf.keras.layers.Lambda(lambda numbers: tf.cast(numbers, tf.float32))


def _to_vector() -> tf.keras.layers.Layer:
    return tf.keras.layers.Reshape((-1,))


def check_layers(name: str, layers: Sequence[int]) -> None:
    """Refuses what is no list of layers with units.

    Raises:
      ConfigurationError: It is none.
    """
    if not isinstance(layers, (list, tuple)):
        raise ConfigurationError(
            f"{name} is {layers!r}; it must be a list of whole numbers, e.g. "
            "(100, 50), or (100,) for one layer."
        )
    for units in layers:
        check_number(f"each of {name}", units, at_least=1, integer=True)


def _check_convolutions(name: str, conv_layers: Sequence[Sequence[int]]) -> None:
    """Refuses what is no list of filters, kernel sizes and strides."""
    numbers = ("filters", "kernel size", "stride")
    for layer in conv_layers if isinstance(conv_layers, (list, tuple)) else [None]:
        if not isinstance(layer, (list, tuple)) or len(layer) != len(numbers):
            raise ConfigurationError(
                f"{name}.conv_layers is {conv_layers!r}; it must be a list of "
                f"({', '.join(numbers)}), e.g. ((32, 8, 4), (64, 4, 2))."
            )
        for what, number in zip(numbers, layer):
            check_number(
                f"each {what} of {name}.conv_layers", number, at_least=1, integer=True
            )
