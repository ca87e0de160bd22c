"""A dataset that gives batches when a test wants it to."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import tensorflow as tf


class Tap:
    """Lets batches of a dataset through, one for each drop."""

    def __init__(self) -> None:
        self._drops = threading.Semaphore(0)
        self._is_open = threading.Event()

    def drip(self, batches: int) -> None:
        """Lets so many through."""
        self._drops.release(batches)

    def open(self) -> None:
        """Lets all through: at the end of a test nothing may be stuck in Python."""
        self._is_open.set()

    def dataset(self) -> tf.data.Dataset:
        """Endless, and starved unless it drips."""
        batches = tf.data.Dataset.from_generator(
            self._drip, output_signature=tf.TensorSpec([], tf.int64)
        )
        return batches.batch(1, drop_remainder=True)

    def _drip(self) -> Iterator[int]:
        for number in itertools.count():
            while not self._is_open.is_set():
                if self._drops.acquire(timeout=0.02):
                    break
            yield number
