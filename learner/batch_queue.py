"""Batches that are ready to be trained on, and how many there are.

A graph that waits inside `next(iterator)` for a starved replay table does not see a
signal or the end of the run. So a thread of its own moves batches from the dataset to
a queue, and the learner trains when enough of them are ready.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

import tensorflow as tf
from tensorflow.python.eager import cancellation, context, execute

from experiment import process

# Elements of the dataset moved by one call of the graph, which is left in between only
# when the queue is closed.
_ELEMENTS_PER_CALL = 1_000

# Seconds: pause after a failure, and longest wait for the end of the thread.
_RETRY_S = 1.0
_CLOSE_TIMEOUT_S = 5.0

# Seconds between two looks whether batches are ready; whether a lost server is back.
_POLL_S = 0.002
_LOST_POLL_S = 0.25


class Further(NamedTuple):
    """What a further replay server gives.

    Attributes:
      dataset: Of it.
      is_lost: Whether the server is lost: nobody connects to its address then, where
        another may be.
    """

    dataset: tf.data.Dataset
    is_lost: Callable[[], bool] = lambda: False


class BatchQueue:
    """An iterator over stacks of batches, for use in a graph, that knows its fill."""

    def __init__(
        self,
        dataset: tf.data.Dataset,
        capacity: int,
        further: Sequence[Further] = (),
    ) -> None:
        """Starts to fill the queue; `close` ends it.

        Args:
          dataset: Endless; elements are stacks of batches: nests of tensors
            [batches, ...] of fixed shapes.
          capacity: Batches kept ready at most.
          further: Of other servers. All fill the queue as they can: one that is
            starved, or whose server is lost, holds up no other.
        """
        self._spec = dataset.element_spec
        flat = tf.nest.flatten(self._spec)
        self._queue = tf.queue.FIFOQueue(
            capacity, [spec.dtype for spec in flat], [spec.shape[1:] for spec in flat]
        )
        # A variable, so that the graph is the same for any number.
        self._wanted = tf.Variable(1, trainable=False)
        self._closed = threading.Event()
        self._fillers = [
            _Filler(each, self._queue, self._closed)
            for each in (Further(dataset), *further)
        ]

    def __next__(self) -> Any:
        """Takes a stack of as many batches as `wait` was told last; in a graph."""
        tensors = self._queue.dequeue_many(self._wanted)
        if not isinstance(tensors, (list, tuple)):
            tensors = [tensors]
        return tf.nest.pack_sequence_as(self._spec, tensors)

    def ready(self) -> int:
        """How many batches can be taken without waiting."""
        return int(self._queue.size())

    def wait(self, batches: int, timeout_s: float) -> bool:
        """Waits until so many batches are ready, or the time is over.

        Args:
          batches: Batches wanted, at most the capacity; the next stack has so many.
          timeout_s: Seconds to wait at most.

        Returns:
          Whether they are ready.
        """
        self._wanted.assign(batches)
        deadline = time.monotonic() + timeout_s
        while self.ready() < batches:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def renew(self, number: int = 0) -> None:
        """Samples anew, from a server that came back, or no more if it is lost.

        Reverb's sampler finds it too, but some 10 s later than everybody else.

        Args:
          number: Of the dataset.
        """
        self._fillers[number].renew()

    def close(self) -> None:
        """Ends the filling, even of a starved queue."""
        self._closed.set()
        for filler in self._fillers:
            filler.renew()
        for filler in self._fillers:
            filler.thread.join(_CLOSE_TIMEOUT_S)


class _Filler:
    """Moves batches from a dataset to the queue, in a thread."""

    def __init__(
        self,
        source: Further,
        queue: tf.queue.QueueBase,
        closed: threading.Event,
    ) -> None:
        self._source = source
        self._queue = queue
        self._closed = closed
        self._cancellation = cancellation.CancellationManager()
        self.thread = process.start_thread("batches", self._fill)

    def renew(self) -> None:
        self._cancellation.start_cancel()

    def _fill(self) -> None:
        """Moves batches until closed; samples anew after a failure."""
        while not self._closed.is_set():
            # First: who is lost from now on cancels this one.
            self._cancellation = cancellation.CancellationManager()
            if self._source.is_lost():
                self._closed.wait(_LOST_POLL_S)
                continue
            moves = [self._move(iter(self._source.dataset))]
            try:
                while not self._closed.is_set():
                    _call(moves[0], self._cancellation)
            except tf.errors.CancelledError:
                pass
            except tf.errors.OpError as error:
                logging.warning("batches: trying again after: %s", error.message)
                self._closed.wait(_RETRY_S)
            # The end of a sampler whose server has gone waits until gRPC, which tries
            # ever more seldom, has found one there.
            process.start_thread("old batches", moves.clear)

    def _move(self, iterator: Any) -> Any:
        """A graph that moves batches from the iterator to the queue."""

        @tf.function
        def move() -> None:
            for _ in tf.range(_ELEMENTS_PER_CALL):
                self._queue.enqueue_many(tf.nest.flatten(next(iterator)))

        return move.get_concrete_function()


def _call(graph: Any, manager: cancellation.CancellationManager) -> None:
    """Calls a graph that gives nothing, so that it can be cancelled.

    `CancellationManager.get_cancelable_function` would set the manager for all threads:
    what the learner calls meanwhile would be cancelled as well.
    """
    here = context.context()
    options = here.function_call_options.as_attrs()
    execute.execute_with_cancellation(
        graph.function_def.signature.name,
        num_outputs=0,
        inputs=graph.captured_inputs,
        attrs=tuple(itertools.chain(*options.items())),
        ctx=here,
        cancellation_manager=manager,
    )
