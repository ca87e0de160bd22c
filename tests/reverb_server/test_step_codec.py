"""reverb_server/step_codec.py: every bit comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import ArraySpec, BoundedArraySpec

from reverb_server.step_codec import StepCodec

DTYPES = [
    tf.bool,
    tf.uint8,
    tf.uint16,
    tf.uint32,
    tf.uint64,
    tf.int8,
    tf.int16,
    tf.int32,
    tf.int64,
    tf.float16,
    tf.float32,
    tf.float64,
]

# Everything at once: images, scalars, dicts and tuples, and odd sizes between.
NEST = {
    "image": tf.TensorSpec([3, 2, 4], tf.uint8),
    "sensors": (tf.TensorSpec([], tf.float64), tf.TensorSpec([5], tf.float16)),
    "flags": {"a": tf.TensorSpec([3], tf.bool), "b": tf.TensorSpec([], tf.bool)},
    "count": tf.TensorSpec([], tf.int64),
    "none": (),
}


def random_steps(spec: Any, *outer: int) -> Any:
    """Arrays of any bits whatever, those of NaNs and infinities included."""
    numbers = np.random.default_rng(0)

    def draw(column: tf.TensorSpec) -> np.ndarray:
        shape = (*outer, *column.shape)
        if column.dtype == tf.bool:
            return numbers.integers(2, size=shape).astype(bool)
        count = int(np.prod(shape)) * column.dtype.size
        raw = numbers.integers(256, size=count).astype(np.uint8)
        return raw.view(column.dtype.as_numpy_dtype).reshape(shape)

    return tf.nest.map_structure(draw, spec)


def same_bits(found: Any, expected: Any) -> None:
    """Asserts that two nests are the same: structure, dtypes, shapes, bits."""
    tf.nest.assert_same_structure(found, expected)
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(expected)):
        array = np.asarray(one)
        assert array.dtype == other.dtype
        assert array.shape == other.shape
        assert array.tobytes() == other.tobytes()


@pytest.mark.parametrize("shape", [[], [1], [3], [2, 3]], ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
def test_every_dtype_comes_back_in_every_shape(dtype: tf.DType, shape: Any) -> None:
    """Both ways of unpacking; what lies beside is not touched."""
    beside = tf.TensorSpec([3], tf.uint8)
    spec = (beside, tf.TensorSpec(shape, dtype), beside)
    codec = StepCodec(spec)
    assert codec.step_bytes == 6 + int(np.prod(shape)) * dtype.size
    steps = random_steps(spec, 5)
    rows = codec.pack(steps)
    assert rows.shape == (5, codec.step_bytes)
    assert rows.dtype == np.uint8
    same_bits(codec.unpack(tf.constant(rows)), steps)
    same_bits(codec.unpack_array(rows), steps)


@pytest.mark.parametrize("outer", [(1,), (4,), (0,)], ids=str)
def test_a_nest_comes_back_as_it_was(outer: tuple[int, ...]) -> None:
    """Dicts, tuples, and what is empty."""
    codec = StepCodec(NEST)
    steps = random_steps(NEST, *outer)
    rows = codec.pack(steps)
    same_bits(codec.unpack(tf.constant(rows)), steps)
    same_bits(codec.unpack_array(rows), steps)


@pytest.mark.parametrize("outer", [(), (2, 3), (2, 1, 3)], ids=str)
def test_any_outer_dimensions_are_unpacked(outer: tuple[int, ...]) -> None:
    """A batch of items of windows of steps is; so is a lone step."""
    codec = StepCodec(NEST)
    steps = random_steps(NEST, *outer)
    flat = tf.nest.map_structure(
        lambda array, column: array.reshape(-1, *column.shape), steps, NEST
    )
    rows = codec.pack(flat).reshape(*outer, codec.step_bytes)
    same_bits(codec.unpack(tf.constant(rows)), steps)
    same_bits(codec.unpack_array(rows), steps)


def test_a_graph_unpacks_batches_whose_size_it_does_not_know() -> None:
    """The shapes that are fixed are known in the graph."""
    codec = StepCodec(NEST)
    seen = []

    @tf.function(input_signature=[tf.TensorSpec([None, 2, codec.step_bytes], tf.uint8)])
    def unpack(rows: tf.Tensor) -> Any:
        unpacked = codec.unpack(rows)
        seen.append(unpacked["image"].shape.as_list())
        return unpacked

    for size in (1, 4):
        steps = random_steps(NEST, size * 2)
        rows = codec.pack(steps).reshape(size, 2, codec.step_bytes)
        expected = tf.nest.map_structure(
            lambda array, size=size: array.reshape(size, 2, *array.shape[1:]), steps
        )
        same_bits(unpack(tf.constant(rows)), expected)
    assert seen == [[None, 2, 3, 2, 4]]


def test_the_specs_of_environments_will_do() -> None:
    """They are NumPy's, with or without bounds."""
    spec = [ArraySpec([2], np.float32), BoundedArraySpec([], np.int64, 0, 1)]
    codec = StepCodec(spec)
    steps = [np.array([[1, 2], [3, 4]], np.float32), np.array([0, 1], np.int64)]
    same_bits(codec.unpack_array(codec.pack(steps)), steps)


def test_arrays_that_are_views_are_packed_as_what_they_show() -> None:
    """Not as what lies in memory."""
    spec = tf.TensorSpec([2], tf.float32)
    wide = np.arange(12, dtype=np.float32).reshape(3, 4)
    codec = StepCodec(spec)
    same_bits(codec.unpack_array(codec.pack(wide[:, ::2])), wide[:, ::2].copy())


@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 1), (4,)], ids=str)
def test_a_wrong_shape_is_refused(shape: tuple[int, ...]) -> None:
    """The server would take it, and the learner fail at some later time."""
    codec = StepCodec((tf.TensorSpec([], tf.int32), tf.TensorSpec([2], tf.float32)))
    with pytest.raises(ValueError, match=r"expected a batch of \(2,\), got"):
        codec.pack((np.zeros(4, np.int32), np.zeros(shape, np.float32)))


@pytest.mark.parametrize(
    "column",
    [
        tf.TensorSpec([None], tf.float32),
        tf.TensorSpec(None, tf.float32),
        tf.TensorSpec([], tf.string),
    ],
)
def test_what_has_no_fixed_size_is_refused(column: tf.TensorSpec) -> None:
    """When the codec is made, not when the first step comes."""
    with pytest.raises(ValueError, match="cannot pack"):
        StepCodec({"ok": tf.TensorSpec([], tf.int32), "not": column})
