"""Writes rows into tables that hold one row or few, without waiting for the server.

`Client.insert` and TFClient, which TF-Agents' variable container pushes by, wait for a
lost server for ever, at a whole core; or they raise an InternalError. A trajectory
writer keeps its row, and sends it when the server is back.
"""

from __future__ import annotations

import logging
import time

import numpy as np
import reverb
import tensorflow as tf
from tf_agents.typing import types

from reverb_server.address import NO_ANSWER


class RowWriter:
    """Writes rows of one table, one after another."""

    def __init__(self, client: reverb.Client, table: str) -> None:
        """Args: client; table: its signature is that of the rows."""
        self._writer = client.trajectory_writer(1, validate_items=False)
        self._table = table

    def write(self, row: types.NestedArray) -> None:
        """Begins to send a row: a nest of arrays or tensors, or one scalar."""
        self._writer.append([np.asarray(value) for value in tf.nest.flatten(row)])
        columns = tuple(column[-1] for column in self._writer.history)
        self._writer.create_item(self._table, 1.0, columns)

    def flush(self, timeout_s: float) -> bool:
        """Waits for the server to have all rows.

        Args:
          timeout_s: Seconds to wait at most.

        Returns:
          Whether it has them. The others are sent as soon as it is back.
        """
        try:
            self._writer.flush(timeout_ms=int(timeout_s * 1_000))
        except reverb.DeadlineExceededError:
            return False
        except NO_ANSWER as error:  # As of a connection that was just cut.
            logging.warning("table %s: trying again after: %s", self._table, error)
            time.sleep(timeout_s)
            return False
        return True
