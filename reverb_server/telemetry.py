"""Telemetry: every process sends a row of figures now and then; the server keeps them.

Actors need no disk: their figures travel as rows of a table.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from typing import Any

import reverb

from reverb_server import figures as figures_lib
from reverb_server import tables
from reverb_server.row_writer import RowWriter

# Key of a row by which the learner says that Reverb has written a checkpoint: its
# train step and path; the path is None if it could not be written.
SNAPSHOT = "snapshot"

_SEND_TIMEOUT_S = 1.0

# Unix time after which no row is made: in 2106.
_LAST_TIME = 2**32


def identity(role: str, task: int) -> dict[str, Any]:
    """What a row says of the process that sends it: this one.

    Args:
      role: Of the process.
      task: Number within the role.
    """
    return {
        "role": role,
        "task": task,
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }


class TelemetrySender:
    """Sends rows; while the server does not take one, no other is made."""

    def __init__(self, client: reverb.Client, role: str, task: int) -> None:
        """Args: client, and whose figures these are."""
        self._writer = RowWriter(client, tables.TELEMETRY)
        self._is_sent = True
        self._lock = threading.Lock()  # Threads of one process share a sender.
        self._identity = identity(role, task)

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
    sent = [sample.data[0].item() for sample in samples]
    found = [_row(data) for data in sent]
    if None in found:
        example = sent[found.index(None)]
        logging.warning("telemetry that is none was dropped, as %.80r", example)
    return [row for row in found if row is not None]


def _row(data: bytes) -> dict[str, Any] | None:
    """What was sent, if it is a row: anybody can write anything there.

    Values that are no numbers although others count on it are left out.
    """
    try:
        row = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or not _is_identified(row):
        return None
    wrong = {
        each.name
        for each in figures_lib.numbers(row["role"])
        if row.get(each.name) is not None and not figures_lib.is_number(row[each.name])
    }
    return {name: value for name, value in row.items() if name not in wrong}


def _is_identified(row: dict[str, Any]) -> bool:
    """Whether a row says who has sent it, and when."""
    role, host = row.get("role"), row.get("host")
    numbers: list[Any] = [row.get(name) for name in ("task", "pid", "time")]
    return (
        role in figures_lib.MEMBERS
        and isinstance(host, str)
        and host.isprintable()
        and all(isinstance(each, int) for each in numbers[:2])
        and isinstance(numbers[2], (int, float))
        and all(0 <= each <= _LAST_TIME for each in numbers)
    )
