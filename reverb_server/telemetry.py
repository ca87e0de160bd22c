"""Telemetry: every process sends a row of figures now and then; the server keeps them.

Actors need no disk: their figures travel as rows of a table.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from typing import Any

import reverb

from reverb_server import tables

_SEND_TIMEOUT_MS = 1_000


class TelemetrySender:
    """Sends rows; a row that cannot be sent in time is given up, not waited for."""

    def __init__(self, client: reverb.Client, role: str, task: int) -> None:
        """Args: client, and whose figures these are."""
        self._client = client
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
        row = json.dumps({**self._identity, "time": time.time(), **figures})
        writer = self._client.trajectory_writer(1, validate_items=False)
        try:
            writer.append([row.encode()])
            writer.create_item(tables.TELEMETRY, 1.0, writer.history[0][-1])
            writer.flush(timeout_ms=_SEND_TIMEOUT_MS)
        except reverb.DeadlineExceededError:
            logging.warning("telemetry: no answer from the server, a row is lost")


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
