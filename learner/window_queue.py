"""Batches of windows of the learner's own present policy: for on-policy agents."""

from __future__ import annotations

import time
from typing import Any

import tensorflow as tf

from learner.batch_queue import BatchQueue
from reverb_server.replay_dataset import SampleInfo


class WindowQueue:
    """As `BatchQueue`; gives one batch at a time, and drops windows of other weights.

    Attributes:
      dropped: Windows dropped so far.
    """

    def __init__(
        self, dataset: tf.data.Dataset, batch_size: int, train_step: tf.Variable
    ) -> None:
        """Starts to take windows; `close` ends it.

        Args:
          dataset: Of single windows, see `replay_dataset.window_dataset`.
          batch_size: Windows in a batch.
          train_step: int64 scalar, of the weights whose windows are wanted.
        """
        self._windows = BatchQueue(dataset, capacity=batch_size)
        self._batch_size = batch_size
        self._train_step = train_step
        self._spec, _ = dataset.element_spec
        flat = [*tf.nest.flatten(self._spec), tf.TensorSpec([1], tf.int64)]
        shapes = [[batch_size, *spec.shape[1:]] for spec in flat]
        self._batch = tf.queue.FIFOQueue(1, [spec.dtype for spec in flat], shapes)
        self._kept: list[list[tf.Tensor]] = []
        self._kept_step = -1
        self.dropped = 0

    def __next__(self) -> Any:
        """Takes the batch that `wait` has found; in a graph.

        Returns:
          A Trajectory [1, B, T, ...] and its `SampleInfo`.
        """
        *flat, versions = [column[tf.newaxis] for column in self._batch.dequeue()]
        return tf.nest.pack_sequence_as(self._spec, flat), SampleInfo(versions)

    def ready(self) -> int:
        """How many windows wait to be looked at or for others of their batch."""
        return self._windows.ready() + len(self._kept)

    def wait(self, batches: int, timeout_s: float) -> bool:
        """Waits until a batch is ready, or the time is over.

        Args:
          batches: As for `BatchQueue`; there is never more than one.
          timeout_s: Seconds to wait at most.

        Returns:
          Whether one is ready.
        """
        del batches
        train_step = int(self._train_step)
        if train_step != self._kept_step:
            self.dropped += len(self._kept)
            self._kept, self._kept_step = [], train_step
        if self._batch.size():
            return True
        deadline = time.monotonic() + timeout_s
        while len(self._kept) < self._batch_size:
            if not self._windows.wait(1, max(deadline - time.monotonic(), 0.0)):
                return False
            window, versions = next(self._windows)
            if bool(tf.reduce_all(versions == train_step)):
                self._kept.append([*tf.nest.flatten(window), versions[:, 0]])
            else:
                self.dropped += 1
                if time.monotonic() > deadline:  # There may be many of them.
                    return False
        self._batch.enqueue([tf.concat(column, 0) for column in zip(*self._kept)])
        self._kept = []
        return True

    def renew(self, number: int = 0) -> None:
        """Samples anew, from a server that came back; see `BatchQueue.renew`."""
        self._windows.renew(number)

    def close(self) -> None:
        """Ends the sampling."""
        self._windows.close()
