"""learner/batch_queue.py: batches come out as they went in; nobody waits for ever."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import numpy as np
import pytest
import tensorflow as tf

from learner.batch_queue import BatchQueue
from reverb_server.replay_dataset import replay_dataset
from reverb_server.replay_layout import replay_layout
from tests.learner.conftest import BATCH_SIZE, Learning
from tests.reverb_server.waiting import wait_until

DEADLINE_S = 20.0


def numbered(width: int = 3) -> tf.data.Dataset:
    """Batches of which each tensor says its number."""
    return tf.data.Dataset.range(1_000_000).map(
        lambda number: {
            "floats": tf.fill([width], tf.cast(number, tf.float32)),
            "pair": (number, tf.fill([2, width], tf.cast(number, tf.uint8))),
        }
    )


def number_of(batch: Any) -> int:
    """Its number; fails if it was put together from several batches."""
    numbers = {
        int(number)
        for tensor in tf.nest.flatten(batch)
        for number in np.unique(tensor.numpy())
    }
    assert len(numbers) == 1
    return numbers.pop()


Start = Callable[[tf.data.Dataset, int], BatchQueue]


@pytest.fixture
def start() -> Iterator[Start]:
    """Queues that end with the test."""
    with contextlib.ExitStack() as stack:

        def make(dataset: tf.data.Dataset, capacity: int) -> BatchQueue:
            queue = BatchQueue(dataset, capacity)
            stack.callback(queue.close)
            return queue

        yield make


def test_batches_come_out_in_order_and_whole(start: Start) -> None:
    """More of them than the queue holds; with the structure they had."""
    queue = start(numbered(), 4)
    batches = [next(queue) for _ in range(50)]
    assert [number_of(batch) for batch in batches] == list(range(50))
    tf.nest.assert_same_structure(batches[0], numbered().element_spec)
    assert batches[0]["floats"].dtype == tf.float32
    assert batches[0]["pair"][1].shape == [2, 3]


def test_a_batch_may_be_a_single_tensor(start: Start) -> None:
    """Not in a list."""
    queue = start(tf.data.Dataset.range(100).batch(5, True), 2)
    np.testing.assert_array_equal(next(queue), np.arange(5))
    np.testing.assert_array_equal(next(queue), np.arange(5, 10))


def test_batches_are_taken_within_a_graph(start: Start) -> None:
    """In the loop that trains; shapes are known when the graph is made."""
    queue = start(numbered(), 4)

    @tf.function
    def add_up(batches: tf.Tensor) -> tf.Tensor:
        total = tf.constant(0, tf.int64)
        for _ in tf.range(batches):
            batch = next(queue)
            assert batch["floats"].shape == [3]
            total += batch["pair"][0]
        return total

    assert int(add_up(tf.constant(10))) == sum(range(10))
    assert int(add_up(tf.constant(2))) == 10 + 11


def test_the_queue_fills_up_to_its_capacity_and_says_so(start: Start) -> None:
    """And again after something was taken; it never holds more."""
    queue = start(numbered(), 3)
    assert queue.wait(3, DEADLINE_S) == 3
    assert number_of(next(queue)) == 0
    assert queue.wait(3, DEADLINE_S) == 3
    assert queue.ready() == 3


def test_more_than_the_capacity_is_not_waited_for(start: Start) -> None:
    """It would never come."""
    queue = start(numbered(), 2)
    begun = time.monotonic()
    assert queue.wait(100, DEADLINE_S) == 2
    assert time.monotonic() - begun < DEADLINE_S


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
        return tf.data.Dataset.from_generator(
            self._drip, output_signature=tf.TensorSpec([], tf.int64)
        )

    def _drip(self) -> Iterator[int]:
        for number in itertools.count():
            while not self._is_open.is_set():
                if self._drops.acquire(timeout=0.02):
                    break
            yield number


@pytest.fixture
def tap() -> Iterator[Tap]:
    """Open after the test."""
    made = Tap()
    yield made
    made.open()


def test_who_waits_for_a_starved_dataset_is_released_at_the_deadline(
    tap: Tap, start: Start
) -> None:
    """With nothing, or with what there is."""
    queue = start(tap.dataset(), 4)
    assert queue.ready() == 0
    begun = time.monotonic()
    assert queue.wait(1, timeout_s=0.1) == 0
    tap.drip(2)
    wait_until(lambda: queue.ready() == 2)
    assert queue.wait(3, timeout_s=0.1) == 2
    assert 0.2 <= time.monotonic() - begun < DEADLINE_S


def test_who_waits_is_released_as_soon_as_there_is_enough(
    tap: Tap, start: Start
) -> None:
    """Long before the deadline."""
    queue = start(tap.dataset(), 4)
    threading.Timer(0.05, tap.drip, (2,)).start()
    begun = time.monotonic()
    assert queue.wait(2, timeout_s=60) == 2
    assert time.monotonic() - begun < DEADLINE_S


def test_a_failing_dataset_is_asked_again(
    caplog: pytest.LogCaptureFixture, start: Start
) -> None:
    """A server may be gone for a moment; the log tells of it."""

    def fail_once(number: tf.Tensor) -> tf.Tensor:
        three = tf.constant(3, tf.int64)
        tf.debugging.assert_none_equal(number, three, message="no three")
        return number

    queue = start(tf.data.Dataset.range(1_000_000).map(fail_once), 10)
    assert queue.wait(10, DEADLINE_S) == 10
    assert [int(next(queue)) for _ in range(5)] == [0, 1, 2, 4, 5]
    [told] = [record for record in caplog.messages if "batches: trying again" in record]
    assert "no three" in told


def test_a_queue_that_a_table_starves_can_be_closed(
    start: Start, learning: Learning
) -> None:
    """Its thread ends, though it waits for the server."""
    agent, _ = learning.experiment.make_agent(learning.experiment.environment())
    layout = replay_layout(agent, learning.experiment.replay)
    queue = start(replay_dataset(learning.run.address, layout, BATCH_SIZE), 4)
    assert queue.wait(1, timeout_s=0.2) == 0
    queue.close()
    assert not queue._thread.is_alive()
