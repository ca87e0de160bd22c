"""Batches that are ready to be trained on, and how many there are.

A graph that waits inside `next(iterator)` for a starved replay table cannot be
stopped: not by a signal, not at the end of the run. So a thread of its own moves
batches from the dataset to a queue, and the learner trains on as many as are ready.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import tensorflow as tf

from experiment import process

# Batches moved by one call of the graph; the call is not left in between.
_BATCHES_PER_CALL = 1_000


class BatchQueue:
    """An iterator over batches, for use inside a graph, that knows its fill."""

    def __init__(self, dataset: tf.data.Dataset, capacity: int) -> None:
        """Starts to fill the queue.

        Args:
          dataset: Endless; elements are nests of tensors of fixed shapes.
          capacity: Batches kept ready at most.
        """
        self._spec = dataset.element_spec
        flat = tf.nest.flatten(self._spec)
        self._queue = tf.queue.FIFOQueue(
            capacity, [spec.dtype for spec in flat], [spec.shape for spec in flat]
        )
        self._capacity = capacity
        iterator = iter(dataset)
        process.start_thread("batches", lambda: self._fill(iterator))

    def __next__(self) -> Any:
        """Takes a batch; in a graph, and only if one is ready."""
        tensors = self._queue.dequeue()
        if not isinstance(tensors, (list, tuple)):
            tensors = [tensors]
        return tf.nest.pack_sequence_as(self._spec, tensors)

    def ready(self) -> int:
        """How many batches can be taken without waiting."""
        return int(self._queue.size())

    def wait(self, batches: int, timeout_s: float) -> int:
        """Waits until so many batches are ready, or the time is over.

        Args:
          batches: Batches wanted; the capacity if that is less.
          timeout_s: Seconds to wait at most.

        Returns:
          How many are ready.
        """
        wanted = min(batches, self._capacity)
        deadline = time.monotonic() + timeout_s
        while (ready := self.ready()) < wanted and time.monotonic() < deadline:
            time.sleep(0.0005)
        return ready

    def _fill(self, iterator: Any) -> None:
        """Moves batches for as long as the process lives."""

        @tf.function
        def move(count: tf.Tensor) -> None:
            for _ in tf.range(count):
                self._queue.enqueue(tf.nest.flatten(next(iterator)))

        while True:
            try:
                move(tf.constant(_BATCHES_PER_CALL))
            except tf.errors.OpError as error:
                logging.warning("batches: trying again after: %s", error.message)
                time.sleep(1)
