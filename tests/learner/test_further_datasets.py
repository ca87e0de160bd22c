"""learner/batch_queue.py: batches of several servers."""

from __future__ import annotations

import threading

import tensorflow as tf

from learner.batch_queue import BatchQueue, Further
from tests.learner.tap import Tap

DEADLINE_S = 20.0


def test_a_starved_dataset_holds_up_no_other(tap: Tap) -> None:
    """That of a server that is lost, say; what comes of it later is taken too."""
    one = tf.data.Dataset.from_tensors(tf.constant(7, tf.int64)).repeat()
    queue = BatchQueue(tap.dataset(), 4, [Further(one.batch(1, True))])
    for _ in range(20):
        assert queue.wait(4, DEADLINE_S)
        assert next(queue).numpy().tolist() == [7] * 4
    tap.drip(1)
    found: list[int] = []
    while 0 not in found:
        assert queue.wait(1, DEADLINE_S)
        found += next(queue).numpy().tolist()
    queue.close()


def is_drained(queue: BatchQueue) -> bool:
    """Whether it is empty, and stays so, once what is in it was taken."""
    for _ in range(50):
        if not queue.wait(1, timeout_s=0.5):
            return True
        next(queue)
    return False


def test_nothing_is_taken_from_a_server_while_it_is_lost(tap: Tap) -> None:
    """Nor from whoever has its address meanwhile; but again once it is back."""
    lost = threading.Event()
    lost.set()
    one = tf.data.Dataset.from_tensors(tf.constant([7], tf.int64)).repeat()
    queue = BatchQueue(tap.dataset(), 4, [Further(one, lost.is_set)])
    assert is_drained(queue)
    lost.clear()
    assert queue.wait(4, DEADLINE_S)
    lost.set()
    queue.renew(1)
    assert is_drained(queue)
    lost.clear()
    assert queue.wait(4, DEADLINE_S)
    queue.close()


def test_a_full_queue_shuts_out_no_dataset() -> None:
    """How often each gets its turn is the processor's doing, and the limiters'."""
    datasets = [
        tf.data.Dataset.from_tensors(tf.fill([1], number)).repeat()
        for number in range(3)
    ]
    queue = BatchQueue(datasets[0], 3, [Further(each) for each in datasets[1:]])
    found: list[int] = []
    for _ in range(100):
        assert queue.wait(3, DEADLINE_S)
        found += next(queue).numpy().tolist()
    queue.close()
    assert all(found.count(number) > 3 for number in range(3)), found
