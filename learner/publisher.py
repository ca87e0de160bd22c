"""The way of the weights out of the learner, beside the training."""

from __future__ import annotations

import threading

import reverb
import tensorflow as tf
from tf_agents.typing import types

from experiment import process
from reverb_server import tables
from reverb_server.row_writer import RowWriter

# Seconds for one look whether the server has taken the weights.
_FLUSH_S = 1.0


class Publisher:
    """Pushes weights from a thread of its own: training does not wait for the network.

    If training is quicker than the network, weights that have not gone yet are replaced
    by newer ones.
    """

    def __init__(self, address: str) -> None:
        """Args: address: host:port of the server."""
        self._writer = RowWriter(reverb.Client(address), tables.VARIABLES)
        self._condition = threading.Condition()
        self._next: types.NestedTensor | None = None
        process.start_thread("publisher", self._push_all)

    def publish(self, weights: types.NestedVariable) -> None:
        """Takes the weights as they are now, to be pushed next."""
        snapshot = tf.nest.map_structure(tf.identity, weights)
        with self._condition:
            self._next = snapshot
            self._condition.notify_all()

    def _push_all(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._next is not None)
                weights, self._next = self._next, None
            self._writer.write(weights)
            while not self._writer.flush(_FLUSH_S):
                pass  # The server is gone; it gets them when it is back.
