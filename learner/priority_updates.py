"""The way of new priorities from the learner to the replay table."""

from __future__ import annotations

import logging
import queue
from typing import Any

import reverb
import tensorflow as tf
from tf_agents.agents import tf_agent

from experiment import process
from experiment.interval import Interval
from reverb_server import tables
from reverb_server.address import NO_ANSWER
from reverb_server.priorities import SMALLEST
from reverb_server.replay_dataset import SampleInfo

# Calls of the graph whose priorities wait to be sent, if the server is slow or gone;
# those of more are dropped: the samples keep the priorities that they have.
_MOST_WAITING = 4

# Seconds between two warnings of that.
_WARNING_S = 30.0


class PriorityUpdates:
    """Takes the errors of what was trained on, and sends what priorities follow.

    Pass it to the learner as `after_train_strategy_step_fn`, and `send` after each run.

    Attributes:
      largest_priority: So far, float32 scalar.
    """

    def __init__(self, address: str, largest_priority: tf.Variable) -> None:
        """Starts the thread that sends.

        Args:
          address: host:port of the server.
          largest_priority: Grows with the priorities.
        """
        self._client = reverb.Client(address)
        self.largest_priority = largest_priority
        # Keys and priorities of what was trained on since the last time they were sent.
        self._keys, self._priorities = (
            tf.Variable([], shape=[None], dtype=dtype, trainable=False)
            for dtype in (tf.uint64, tf.float32)
        )
        self._dropped = 0
        self._warning = Interval(_WARNING_S)
        self._waiting: queue.Queue[dict[int, float]] = queue.Queue(_MOST_WAITING)
        process.start_thread("priorities", self._send_all)

    @property
    def _noted(self) -> tuple[tf.Variable, tf.Variable]:
        return self._keys, self._priorities

    def __call__(
        self, sample: tuple[Any, SampleInfo], loss_info: tf_agent.LossInfo
    ) -> None:
        """Notes the priorities of N batches, until `send`; in the graph that trains.

        An error that is no number becomes no priority: Reverb would take it.
        """
        priorities = loss_info.extra + SMALLEST
        priorities = tf.where(
            tf.math.is_finite(priorities), priorities, self.largest_priority
        )
        for noted, new in zip(self._noted, (sample[1].keys, priorities)):
            noted.assign(tf.concat([noted, tf.reshape(new, [-1])], axis=0))
        self.largest_priority.assign(
            tf.maximum(self.largest_priority, tf.reduce_max(priorities))
        )

    def send(self) -> None:
        """Lets the noted priorities be sent; of items sampled twice, the later one."""
        found = dict(zip(*(each.numpy().tolist() for each in self._noted)))
        for each in self._noted:
            each.assign(each[:0])
        try:
            self._waiting.put_nowait(found)
        except queue.Full:
            self._dropped += 1
            if self._warning.due():
                logging.warning(
                    "the server is slow: priorities of %d calls were dropped so far",
                    self._dropped,
                )

    def _send_all(self) -> None:
        while True:
            updates = self._waiting.get()
            try:
                # Those of items that have gone meanwhile are passed over.
                self._client.mutate_priorities(tables.REPLAY, updates)
            except NO_ANSWER as error:
                logging.warning("priorities were not taken: %s", error)
