"""The way of the weights out of the learner, beside the training."""

from __future__ import annotations

import threading

import tensorflow as tf
from tf_agents.experimental.distributed import reverb_variable_container
from tf_agents.typing import types

from experiment import process
from reverb_server import tables


class Publisher:
    """Pushes weights from a thread of its own: training does not wait for the network.

    If training is quicker than the network, weights that have not gone yet are replaced
    by newer ones.
    """

    def __init__(self, address: str) -> None:
        """Args: address: host:port of the server."""
        self._container = reverb_variable_container.ReverbVariableContainer(
            address, [tables.VARIABLES]
        )
        self._condition = threading.Condition()
        self._next: types.NestedTensor | None = None
        self._is_pushing = False
        process.start_thread("publisher", self._push_all)

    def publish(self, weights: types.NestedVariable) -> None:
        """Takes the weights as they are now, to be pushed next."""
        snapshot = tf.nest.map_structure(tf.identity, weights)
        with self._condition:
            self._next = snapshot
            self._condition.notify_all()

    def wait_until_pushed(self, timeout_s: float) -> bool:
        """Waits until all that was published has gone, or the time is over."""
        with self._condition:
            return self._condition.wait_for(
                lambda: self._next is None and not self._is_pushing, timeout_s
            )

    def _push_all(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._next is not None)
                weights, self._next = self._next, None
                self._is_pushing = True
            self._container.push(weights, tables.VARIABLES)
            with self._condition:
                self._is_pushing = False
                self._condition.notify_all()
