"""Telemetry: every process sends a row of figures now and then; the server keeps them.

Actors need no disk: their figures travel as rows of a table.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from typing import Any

import reverb

from reverb_server import tables
from reverb_server.row_writer import RowWriter

# Key of a row by which the learner says that Reverb has written a checkpoint: its
# train step and path; the path is None if it could not be written.
SNAPSHOT = "snapshot"

_SEND_TIMEOUT_S = 1.0


class TelemetrySender:
    """Sends rows; while the server does not take one, no other is made."""

    def __init__(self, client: reverb.Client, role: str, task: int) -> None:
        """Args: client, and whose figures these are."""
        self._writer = RowWriter(client, tables.TELEMETRY)
        self._is_sent = True
        self._lock = threading.Lock()  # Threads of one process share a sender.
        self._identity = {
            "role": role,
            "task": task,
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }

    def send(self, figures: dict[str, Any]) -> None:
        """Sends one row.

        Args:
          figures: Anything JSON can hold.
        """
        with self._lock:
            if self._is_sent or self._writer.flush(_SEND_TIMEOUT_S):
                row = json.dumps({**self._identity, "time": time.time(), **figures})
                self._writer.write(row.encode())
                self._is_sent = self._writer.flush(_SEND_TIMEOUT_S)


def drain(client: reverb.Client, rows: int) -> list[dict[str, Any]]:
    """Takes rows out of the table; only one process may do so.

    Args:
      client: Connected to the server.
      rows: How many; not more than the table holds.

    Returns:
      The rows, oldest first.
    """
    if not rows:
        return []
    samples = client.sample(tables.TELEMETRY, rows, emit_timesteps=False)
    return [json.loads(sample.data[0].item()) for sample in samples]
