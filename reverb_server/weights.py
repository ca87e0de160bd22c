"""The learner's weights: pulled in the background, taken when wanted."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Callable

import reverb
import tensorflow as tf
from tf_agents.experimental.distributed import reverb_variable_container
from tf_agents.experimental.distributed.reverb_variable_container import (
    ReverbVariableContainer,
)
from tf_agents.typing import types
from tf_agents.utils import common

from experiment import process
from reverb_server import address as address_lib
from reverb_server import tables

# Seconds until the learner must have published its first weights.
FIRST_WEIGHTS_TIMEOUT_S = 120.0

# Seconds for one look at the server, and for the end of the thread.
_LOOK_TIMEOUT_S = 5


class WeightsPuller:
    """Keeps a copy of the newest published weights.

    A thread pulls, so that nobody waits for the network; the owner of the variables
    takes the copy between two uses of them, so a policy never acts with weights of
    two versions.
    """

    def __init__(
        self, address: str, variables: types.NestedVariable, interval_s: float
    ) -> None:
        """Starts to pull; `close` ends it.

        Args:
          address: host:port of the server.
          variables: What to assign to, as `tables.weights_of` has them.
          interval_s: Seconds between two pulls.

        Raises:
          ConfigurationError: The server's weights are not those of the variables.
        """
        client = reverb.Client(address)
        tables.require_weights(client, variables)
        self._address = address
        self._container: Any = None  # ReverbVariableContainer, made when it is used.
        self._variables = variables
        self._interval_s = interval_s
        self._condition = threading.Condition()
        self._pulled: types.NestedTensor | None = None
        self._pulled_step = -1
        self._train_step = -1
        self._assign = common.function(assign)
        self._client = client
        self._closed = threading.Event()
        self._thread = process.start_thread("weights", self._keep_pulling)

    @property
    def train_step(self) -> int:
        """Of the weights last taken; -1 before the first."""
        return self._train_step

    @property
    def newest_train_step(self) -> int:
        """Of the weights last pulled; -1 before the first."""
        return self._pulled_step

    def take(self) -> bool:
        """Assigns the newest weights to the variables; False if they have them."""
        with self._condition:
            if self._pulled is None or self._pulled_step == self._train_step:
                return False
            if self._pulled_step < self._train_step:
                logging.warning(
                    "the learner went back from train step %d to %d, its last "
                    "checkpoint",
                    self._train_step,
                    self._pulled_step,
                )
            self._assign(self._variables, self._pulled)
            self._train_step = self._pulled_step
            return True

    def wait_for(
        self, train_step: int, is_running: Callable[[], bool], timeout_s: float
    ) -> bool:
        """Waits for weights of at least this train step, or older than those taken.

        The latter come from a learner that went back to its last checkpoint.

        Args:
          train_step: The least step wanted.
          is_running: Ends the wait early.
          timeout_s: Seconds to wait at most.

        Returns:
          Whether there are such weights now.
        """
        deadline = time.monotonic() + timeout_s
        with self._condition:
            while self._train_step <= self._pulled_step < train_step:
                if not is_running() or time.monotonic() > deadline:
                    return False
                self._condition.wait(0.1)
        return True

    def wait_for_first(self, is_running: Callable[[], bool]) -> bool:
        """Waits for the learner's first weights and takes them.

        Returns:
          False if the run ended before there were any.

        Raises:
          TimeoutError: The learner published none in time.
        """
        if self.wait_for(0, is_running, FIRST_WEIGHTS_TIMEOUT_S):
            return self.take()
        if is_running():
            raise TimeoutError(
                "no weights were published within "
                f"{FIRST_WEIGHTS_TIMEOUT_S:.0f} s: is the learner running? See its log."
            )
        return False

    def close(self) -> None:
        """Ends the pulling; the weights stay as they are."""
        self._closed.set()
        self._thread.join(_LOOK_TIMEOUT_S)

    def _keep_pulling(self) -> None:
        while not self._closed.is_set():
            try:
                self._pull()
            except (tf.errors.OpError, *address_lib.NO_ANSWER, KeyError) as error:
                logging.warning("weights: pull failed, trying again: %s", error)
            self._closed.wait(self._interval_s)

    def _pull(self) -> None:
        if self._pulled is None and not self._are_published():
            return  # A pull could not be ended: it waits as long as there are none.
        self._container = self._container or ReverbVariableContainer(
            self._address, [tables.VARIABLES]
        )
        try:
            weights = self._container.pull(tables.VARIABLES)
        except tf.errors.NotFoundError:
            # TensorFlow has dropped the client: it does at each `tf.random.set_seed`,
            # and if two threads make their first ones at once.
            self._container = None
            raise
        with self._condition:
            self._pulled = weights
            self._pulled_step = int(weights[reverb_variable_container.TRAIN_STEP_KEY])
            self._condition.notify_all()

    def _are_published(self) -> bool:
        info = self._client.server_info(timeout=_LOOK_TIMEOUT_S)
        return bool(info[tables.VARIABLES].current_size)


def assign(variables: types.NestedVariable, values: types.NestedTensor) -> None:
    """Assigns a nest of values to a nest of variables of the same shapes."""
    for variable, value in zip(tf.nest.flatten(variables), tf.nest.flatten(values)):
        variable.assign(value)
