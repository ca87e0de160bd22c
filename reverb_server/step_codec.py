"""One step of an environment as a row of bytes, and back.

Reverb's cost is per column and per item, not per byte: a Trajectory of seven columns
written and read as one column of bytes is several times faster.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.typing import types


class StepCodec:
    """Packs steps of one nested spec of fixed shapes.

    Attributes:
      spec: Of one step.
      step_bytes: Bytes of one packed step.
    """

    def __init__(self, spec: types.NestedSpec) -> None:
        """Derives the layout.

        Args:
          spec: Nest of array or tensor specs of one step, without outer dimensions.

        Raises:
          ValueError: A shape is not fixed, or a dtype has no fixed size.
        """
        self.spec = spec
        self._columns: list[tuple[int, int, tf.DType, tuple[int, ...]]] = []
        offset = 0
        for column in tf.nest.flatten(tensor_spec.from_spec(spec)):
            if not column.shape.is_fully_defined() or column.dtype == tf.string:
                raise ValueError(
                    f"cannot pack {column}: it needs a fixed shape and a numeric dtype"
                )
            size = math.prod(column.shape) * column.dtype.size
            self._columns.append((offset, size, column.dtype, tuple(column.shape)))
            offset += size
        self.step_bytes = offset

    def pack(self, steps: types.NestedArray) -> np.ndarray:
        """Packs a batch of steps.

        Args:
          steps: Nest as the spec, each array of shape [B, ...].

        Returns:
          uint8 array [B, step_bytes].

        Raises:
          ValueError: A shape is not as in the spec, or the batches differ in length.
        """
        arrays = tf.nest.flatten(steps)
        rows = np.empty((len(arrays[0]), self.step_bytes), np.uint8)
        for array, (offset, size, dtype, shape) in zip(arrays, self._columns):
            column = np.ascontiguousarray(array, dtype.as_numpy_dtype)
            if column.shape != (len(rows), *shape):
                raise ValueError(
                    f"expected a batch of {shape}, got {column.shape}; the first "
                    f"array is a batch of length {len(rows)}"
                )
            raw = column.view(np.uint8).reshape(len(rows), size)
            rows[:, offset : offset + size] = raw
        return rows

    def unpack(self, rows: tf.Tensor) -> Any:
        """Unpacks any batch of packed steps, inside a graph too.

        Args:
          rows: uint8 tensor [..., step_bytes].

        Returns:
          Nest as the spec, each tensor of shape [..., *shape].
        """
        outer = tf.shape(rows)[:-1]
        tensors = []
        for offset, size, dtype, shape in self._columns:
            raw = rows[..., offset : offset + size]
            column = _from_bytes(raw, outer, dtype, shape)
            column.set_shape([*rows.shape[:-1], *shape])
            tensors.append(column)
        return tf.nest.pack_sequence_as(self.spec, tensors)

    def unpack_array(self, rows: np.ndarray) -> types.NestedArray:
        """As `unpack`, for people and tests: NumPy in, NumPy out."""
        arrays = [
            np.ascontiguousarray(rows[..., offset : offset + size])
            .view(dtype.as_numpy_dtype)
            .reshape((*rows.shape[:-1], *shape))
            for offset, size, dtype, shape in self._columns
        ]
        return tf.nest.pack_sequence_as(self.spec, arrays)


def _from_bytes(
    raw: tf.Tensor, outer: tf.Tensor, dtype: tf.DType, shape: tuple[int, ...]
) -> tf.Tensor:
    """uint8 [..., bytes] to `dtype` [..., *shape]."""
    target = tf.concat([outer, tf.constant(shape, tf.int32)], axis=0)
    if dtype == tf.bool:  # tf.bitcast knows no booleans.
        return tf.reshape(tf.not_equal(raw, 0), target)
    if dtype.size > 1:
        raw = tf.reshape(raw, tf.concat([target, [dtype.size]], axis=0))
        return tf.bitcast(raw, dtype)
    return tf.bitcast(tf.reshape(raw, target), dtype)
