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
from tests.learner.tap import Tap
from tests.reverb_server.waiting import wait_until

DEADLINE_S = 20.0


def numbered(width: int = 3) -> tf.data.Dataset:
    """Stacks of 2 batches of which each tensor says its number."""
    batches = tf.data.Dataset.range(1_000_000).map(
        lambda number: {
            "floats": tf.fill([width], tf.cast(number, tf.float32)),
            "pair": (number, tf.fill([2, width], tf.cast(number, tf.uint8))),
        }
    )
    return batches.batch(2, drop_remainder=True)


def numbers_of(stack: Any) -> list[int]:
    """Those of its batches; fails if one was put together from several."""
    [numbers, *others] = [
        tensor.numpy().reshape(len(tensor), -1) for tensor in tf.nest.flatten(stack)
    ]
    for column in (numbers, *others):
        np.testing.assert_array_equal(
            column, np.broadcast_to(numbers[:, :1], column.shape)
        )
    return [int(number) for number in numbers[:, 0]]


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
    """More of them than the queue holds; as many at a time as are wanted."""
    queue = start(numbered(), 4)
    found: list[int] = []
    for wanted in (1, 3, 4, 2) * 5:
        assert queue.wait(wanted, DEADLINE_S)
        stack = next(queue)
        assert stack["floats"].shape == [wanted, 3]
        found += numbers_of(stack)
    assert found == list(range(50))
    tf.nest.assert_same_structure(stack, numbered().element_spec)
    assert stack["floats"].dtype == tf.float32
    assert stack["pair"][1].shape == [2, 2, 3]


def test_a_batch_may_be_a_single_tensor(start: Start) -> None:
    """Not in a list."""
    queue = start(tf.data.Dataset.range(100).batch(5, True).batch(1), 2)
    assert queue.wait(2, DEADLINE_S)
    np.testing.assert_array_equal(next(queue), np.arange(10).reshape(2, 5))


def test_batches_are_taken_within_a_graph(start: Start) -> None:
    """One graph for any number of them; their shapes are known when it is made."""
    queue = start(numbered(), 4)
    traces = []

    @tf.function
    def add_up() -> tf.Tensor:
        stack = next(queue)
        assert stack["floats"].shape.as_list() == [None, 3]
        traces.append(1)
        return tf.reduce_sum(stack["pair"][0])

    for wanted, numbers in ((3, (0, 1, 2)), (1, (3,)), (4, (4, 5, 6, 7))):
        assert queue.wait(wanted, DEADLINE_S)
        assert int(add_up()) == sum(numbers)
    assert len(traces) == 1


def test_the_queue_fills_up_to_its_capacity(start: Start) -> None:
    """And again after something was taken; it never holds more."""
    queue = start(numbered(), 3)
    assert queue.wait(3, DEADLINE_S)
    assert numbers_of(next(queue)) == [0, 1, 2]
    assert queue.wait(3, DEADLINE_S)
    assert queue.ready() == 3


def test_who_waits_for_a_starved_dataset_is_released_at_the_deadline(
    tap: Tap, start: Start
) -> None:
    """Empty-handed, though there is something."""
    queue = start(tap.dataset(), 4)
    assert queue.ready() == 0
    begun = time.monotonic()
    assert not queue.wait(1, timeout_s=0.1)
    tap.drip(2)
    wait_until(lambda: queue.ready() == 2)
    assert not queue.wait(3, timeout_s=0.1)
    assert 0.2 <= time.monotonic() - begun < DEADLINE_S


def test_who_waits_is_released_as_soon_as_there_is_enough(
    tap: Tap, start: Start
) -> None:
    """Long before the deadline."""
    queue = start(tap.dataset(), 4)
    threading.Timer(0.05, tap.drip, (2,)).start()
    begun = time.monotonic()
    assert queue.wait(2, timeout_s=60)
    assert time.monotonic() - begun < DEADLINE_S


def test_a_failing_dataset_is_sampled_anew(
    caplog: pytest.LogCaptureFixture, start: Start
) -> None:
    """A server may be gone for a moment; the log tells of it."""
    numbers = itertools.count()

    def fail_once() -> Iterator[int]:
        for number in numbers:
            if number == 3:
                raise ValueError("no three")
            yield number

    dataset = tf.data.Dataset.from_generator(
        fail_once, output_signature=tf.TensorSpec([], tf.int64)
    )
    queue = start(dataset.batch(1, drop_remainder=True), 10)
    assert queue.wait(5, DEADLINE_S)
    assert next(queue).numpy().tolist() == [0, 1, 2, 4, 5]
    [told] = [record for record in caplog.messages if "batches: trying again" in record]
    assert "no three" in told


def test_a_queue_that_a_table_starves_can_be_closed(
    start: Start, learning: Learning
) -> None:
    """Its thread ends, though it waits for the server."""
    agent, _ = learning.experiment.make_agent(learning.experiment.environment())
    layout = replay_layout(agent, learning.experiment.replay)
    queue = start(replay_dataset(learning.run.address, layout, BATCH_SIZE), 4)
    assert not queue.wait(1, timeout_s=0.2)
    queue.close()
    assert not queue._fillers[0].thread.is_alive()


def test_a_queue_that_is_renewed_samples_anew(start: Start) -> None:
    """From a server that came back; what is ready stays."""
    queue = start(numbered(), 4)
    assert queue.wait(4, DEADLINE_S)
    queue.renew()
    assert queue.wait(4, DEADLINE_S)
    assert numbers_of(next(queue)) == [0, 1, 2, 3]
    found: list[int] = []
    while 0 not in found:
        assert queue.wait(1, DEADLINE_S)
        found += numbers_of(next(queue))
    assert found[:-1] == list(range(4, 3 + len(found)))


def test_a_starved_queue_can_be_renewed_and_closed(
    start: Start, learning: Learning
) -> None:
    """Its thread waits for a server that is gone, say."""
    agent, _ = learning.experiment.make_agent(learning.experiment.environment())
    layout = replay_layout(agent, learning.experiment.replay)
    queue = start(replay_dataset(learning.run.address, layout, BATCH_SIZE), 4)
    for _ in range(3):
        queue.renew()
        assert not queue.wait(1, timeout_s=0.1)
    learning.fill()
    assert queue.wait(1, DEADLINE_S)
    queue.close()
    assert not queue._fillers[0].thread.is_alive()


def test_nobody_else_is_cancelled_when_a_queue_is_renewed(
    start: Start, learning: Learning
) -> None:
    """TensorFlow's own way to cancel a function takes those of other threads along."""
    agent, _ = learning.experiment.make_agent(learning.experiment.environment())
    layout = replay_layout(agent, learning.experiment.replay)
    queue = start(replay_dataset(learning.run.address, layout, BATCH_SIZE), 4)
    add = tf.function(lambda x: x + 1)
    total = tf.constant(0)
    for _ in range(20):
        assert not queue.wait(1, timeout_s=0.05)  # Its thread is at work by then.
        queue.renew()
        for _ in range(50):
            total = add(total)
    assert total == 1_000
