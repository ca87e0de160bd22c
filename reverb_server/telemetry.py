"""Telemetry: every process sends a row of figures now and then; the server keeps them.

Actors need no disk: their figures travel as rows of a table.
"""

from __future__ import annotations

import contextlib
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

    def send(self, figures: dict[str, Any]) -> bool:
        """Sends one row.

        Args:
          figures: Anything JSON can hold.

        Returns:
          Whether the server has it, or will have it.
        """
        with self._lock:
            was_sent = self._is_sent or self._writer.flush(_SEND_TIMEOUT_S)
            if was_sent:
                row = json.dumps({**self._identity, "time": time.time(), **figures})
                self._writer.write(row.encode())
                self._is_sent = self._writer.flush(_SEND_TIMEOUT_S)
            return was_sent


def drain(client: reverb.Client, rows: int) -> list[dict[str, Any]]:
    """Takes rows out of the table; only one process may do so.

    Args:
      client: Connected to the server.
      rows: How many; not more than the table holds.

    Returns:
      The rows, oldest first; what is none is dropped.
    """
    if not rows:
        return []
    samples = client.sample(tables.TELEMETRY, rows, emit_timesteps=False)
    found = []
    for sample in samples:
        with contextlib.suppress(ValueError):  # Anybody can write anything there.
            row = json.loads(sample.data[0].item())
            if isinstance(row, dict) and isinstance(row.get("role"), str):
                found.append(row)
    return found
