"""experiment/networks/encoder.py: any observation becomes units, or is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.networks import network, sequential
from tf_agents.specs import BoundedTensorSpec, tensor_spec

from experiment.errors import ConfigurationError
from experiment.networks.encoder import encoder

IMAGE = tf.TensorSpec([16, 16, 3], tf.uint8)
CONVOLUTIONS = ((4, 4, 2), (8, 3, 1))


def built(observation: Any, layers: Any = (5,), conv_layers: Any = ()) -> network:
    """A network of nothing else."""
    made = sequential.Sequential(encoder("mine", observation, layers, conv_layers))
    made.create_variables(observation)
    return made


@pytest.mark.parametrize(
    "observation",
    [
        tf.TensorSpec([4], tf.float32),
        tf.TensorSpec([4], tf.float64),
        tf.TensorSpec([4], tf.int32),
        tf.TensorSpec([], tf.float32),
        tf.TensorSpec([2, 3], tf.float32),
        BoundedTensorSpec([], tf.int64, 0, 15),
        {"position": tf.TensorSpec([2], tf.float32), "speed": tf.TensorSpec([])},
        (BoundedTensorSpec([], tf.int64, 0, 3), tf.TensorSpec([2], tf.float32)),
        {"image": IMAGE, "state": [tf.TensorSpec([2]), tf.TensorSpec([3])]},
        IMAGE,
    ],
)
def test_any_observation_becomes_units(observation: Any) -> None:
    """Of a batch; a copy, as of a target network, computes the same."""
    has_image = any(part == IMAGE for part in tf.nest.flatten(observation))
    made = built(observation, conv_layers=CONVOLUTIONS if has_image else ())
    batch = tensor_spec.sample_spec_nest(observation, seed=1, outer_dims=(6,))
    units, _ = made(batch)
    assert units.shape == (6, 5)
    assert units.dtype == tf.float32
    copy = made.copy()
    copy.create_variables(observation)
    for ours, theirs in zip(made.variables, copy.variables):
        theirs.assign(ours)
    np.testing.assert_array_equal(copy(batch)[0], units)


def test_what_is_one_of_some_is_a_one_hot_vector() -> None:
    """Field 7 is not more than field 6."""
    made = built(BoundedTensorSpec([], tf.int64, 0, 3), layers=())
    np.testing.assert_array_equal(
        made(tf.constant([2, 0], tf.int64))[0], np.eye(4)[[2, 0]]
    )


def test_parts_of_an_observation_lie_side_by_side() -> None:
    """In the order of their names."""
    spec = {"b": tf.TensorSpec([2]), "a": BoundedTensorSpec([], tf.int64, 0, 1)}
    parts = {"b": tf.constant([[5.0, 6.0]]), "a": tf.constant([1], tf.int64)}
    units, _ = built(spec, layers=())(parts)
    np.testing.assert_array_equal(units, [[0, 1, 5, 6]])


@pytest.mark.parametrize(("dtype", "scale"), [(tf.uint8, 255.0), (tf.float32, 1.0)])
def test_pixels_of_a_byte_are_scaled(dtype: tf.DType, scale: float) -> None:
    """To at most 1, as the initial weights want it."""
    spec = tf.TensorSpec([2, 2, 1], dtype)
    layers = encoder("mine", spec, (), ((1, 1, 1),))
    image = tf.constant([[[[0], [51]], [[102], [255]]]], dtype)
    np.testing.assert_allclose(
        np.ravel(layers[0](image)), np.array([0, 51, 102, 255]) / scale, rtol=1e-6
    )


def test_layers_do_not_start_alike() -> None:
    """Two of one size have weights of their own."""
    kernels = built(tf.TensorSpec([4]), layers=(4, 4)).variables[::2]
    assert not np.allclose(kernels[0], kernels[1])


def test_an_image_needs_convolutions() -> None:
    """The message says what to bind."""
    with pytest.raises(ConfigurationError) as raised:
        built(IMAGE)
    assert (
        "mine has no convolutions, but an observation is an image of [16, 16, 3]"
        in (str(raised.value))
    )
    assert "bind mine.conv_layers" in str(raised.value)


@pytest.mark.parametrize(
    "conv_layers",
    [3, None, (32, 8, 4), ((32, 8),), ((32, 8, 0),), ((32, 8.0, 4),), (("a", 8, 4),)],
)
def test_convolutions_that_cannot_be_built_are_refused(conv_layers: Any) -> None:
    """Each has three whole numbers."""
    with pytest.raises(ConfigurationError, match=r"mine\.conv_layers"):
        built(IMAGE, conv_layers=conv_layers)


def test_convolutions_without_an_image_are_refused() -> None:
    """They would be left out in silence."""
    with pytest.raises(ConfigurationError, match="but no observation is an image"):
        built(tf.TensorSpec([4]), conv_layers=CONVOLUTIONS)
