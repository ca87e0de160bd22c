"""reverb_server/step_codec.py: whatever the specs are, every bit comes back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reverb_server.step_codec import StepCodec
from tests.reverb_server.test_step_codec import DTYPES, same_bits

MORE_DTYPES = [*DTYPES, tf.bfloat16, tf.complex64, tf.complex128]

# Bytes of which a column may consist beside random ones: zeros; ones all over, a NaN
# that few write; in IEEE formats infinities, and NaNs that signal.
FILLS = ["random", "zeros", "ones", "infinity", "signalling"]

shapes = st.lists(st.integers(0, 3), max_size=3)
columns = st.builds(tf.TensorSpec, shapes, st.sampled_from(MORE_DTYPES))


def nests_of(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Dicts, tuples and lists of these; empty ones too."""
    return st.one_of(
        st.dictionaries(st.sampled_from("abcd"), children, max_size=3),
        st.lists(children, max_size=3).map(tuple),
        st.lists(children, max_size=3),
    )


nests = st.recursive(columns, nests_of, max_leaves=6).filter(tf.nest.flatten)
outers = st.lists(st.integers(0, 3), max_size=3).map(tuple)


def bits(dtype: tf.DType, count: int, fill: str, numbers: np.random.Generator) -> Any:
    """So many numbers of a dtype, as the fill has them."""
    if dtype == tf.bool:
        return numbers.random(count) < 0.5
    kind = dtype.as_numpy_dtype
    if fill in ("infinity", "signalling") and (dtype.is_floating or dtype.is_complex):
        real = dtype.real_dtype
        size = 2 * count if dtype.is_complex else count
        words = np.full(size, -np.inf).astype(real.as_numpy_dtype)
        # The lowest bit of the fraction alone: not a number, and not quiet.
        words.view(f"u{real.size}")[:] |= int(fill == "signalling")
        return words.view(kind)
    size = count * dtype.size
    raw = numbers.integers(256, size=size).astype(np.uint8)
    if fill in ("zeros", "ones"):
        raw[:] = 0 if fill == "zeros" else 255
    return raw.view(kind)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, tuple[int, ...], Any]:
    """A spec, outer dimensions, and steps of these shapes."""
    spec, outer = draw(nests), draw(outers)
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def array(column: tf.TensorSpec) -> np.ndarray:
        shape = (*outer, *column.shape)
        fill = draw(st.sampled_from(FILLS))
        return bits(column.dtype, math.prod(shape), fill, numbers).reshape(shape)

    return spec, outer, tf.nest.map_structure(array, spec)


def as_batch(spec: Any, outer: tuple[int, ...], steps: Any) -> Any:
    """All outer dimensions made one."""
    return tf.nest.map_structure(
        lambda array, column: array.reshape(math.prod(outer), *column.shape),
        steps,
        spec,
    )


def packed(codec: StepCodec, spec: Any, outer: tuple[int, ...], steps: Any) -> Any:
    """Packed as one batch, then given its outer dimensions."""
    rows = codec.pack(as_batch(spec, outer, steps))
    assert rows.shape == (math.prod(outer), codec.step_bytes)
    return rows.reshape(*outer, codec.step_bytes)


@settings(deadline=None, max_examples=100)
@given(case=cases())
def test_what_is_packed_comes_back_in_numpy(case: Any) -> None:
    """For people and tests."""
    spec, outer, steps = case
    codec = StepCodec(spec)
    same_bits(codec.unpack_array(packed(codec, spec, outer, steps)), steps)


@settings(deadline=None, max_examples=50)
@given(case=cases(), known=st.booleans())
def test_what_is_packed_comes_back_in_a_graph(case: Any, known: bool) -> None:
    """For the learner; whether or not the graph knows the outer dimensions."""
    spec, outer, steps = case
    codec = StepCodec(spec)
    dimensions = outer if known else (None,) * len(outer)
    signature = tf.TensorSpec([*dimensions, codec.step_bytes], tf.uint8)
    shapes_seen: list[tuple[int | None, ...]] = []

    @tf.function(input_signature=[signature])
    def unpack(rows: tf.Tensor) -> Any:
        found = codec.unpack(rows)
        shapes_seen.extend(tuple(t.shape) for t in tf.nest.flatten(found))
        return found

    found = unpack(tf.constant(packed(codec, spec, outer, steps)))
    # By .numpy(): a tensor that is a lone bfloat16 makes no array of itself.
    same_bits(tf.nest.map_structure(lambda t: np.asarray(t.numpy()), found), steps)
    expected = [(*dimensions, *column.shape) for column in tf.nest.flatten(spec)]
    assert shapes_seen == expected


@settings(deadline=None, max_examples=50)
@given(case=cases(), other=st.integers(0, 2**32 - 1))
def test_the_bytes_of_a_step_are_its_own(case: Any, other: int) -> None:
    """They do not depend on its place in the batch, nor on what else is in it."""
    spec, outer, steps = case
    codec = StepCodec(spec)
    batch = as_batch(spec, outer, steps)
    rows = codec.pack(batch)
    order = np.random.default_rng(other).permutation(len(rows))
    shuffled = tf.nest.map_structure(lambda array: array[order], batch)
    assert codec.pack(shuffled).tobytes() == rows[order].tobytes()


@settings(deadline=None, max_examples=50)
@given(case=cases(), length=st.integers(0, 3))
def test_columns_of_different_lengths_are_refused(case: Any, length: int) -> None:
    """NumPy would write a lone row into all."""
    spec, outer, steps = case
    assume(length != math.prod(outer))
    codec = StepCodec((spec, tf.TensorSpec([2], tf.uint8)))
    beside = np.zeros((length, 2), np.uint8)
    with pytest.raises(ValueError, match="the first array is a batch of length"):
        codec.pack((as_batch(spec, outer, steps), beside))
