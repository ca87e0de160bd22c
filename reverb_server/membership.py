"""A role's part in a run: it joins, tells how it is doing, and hears of the end."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import psutil
import reverb

from experiment import process
from experiment.interval import Interval
from reverb_server import address as address_lib
from reverb_server import run_tables, tables
from reverb_server.telemetry import TelemetrySender

# Seconds between two looks at the server, and between two telemetry rows.
_POLL_S = 0.5
_TELEMETRY_S = 2.0

# Seconds without an answer of the server after which a role gives up.
SERVER_TIMEOUT_S = 60.0


class Membership:
    """Connects a role to its run, and watches the run in the background.

    Attributes:
      address: host:port of the server.
      manifest: The run's identity and configuration.
      client: For the caller's own short calls.
    """

    def __init__(
        self, address: str, role: str, stop: process.StopSignal, task: int = 0
    ) -> None:
        """Joins; see `address.connect` and `run_tables.read_manifest` for errors.

        Args:
          address: host:port of the server.
          role: Name of the role.
          stop: Ends the wait for the server, and `is_running`.
          task: Number of the process within its role.
        """
        self.address = address
        self._role = role
        self._stop = stop
        try:
            self.client, info = address_lib.connect(address, stop.is_set)
        except ConnectionAbortedError:
            process.end_process(stop.exit_code)
        self.manifest = run_tables.read_manifest(self.client, address, info)
        self._inserted_items = _inserted(info)
        self._figures: dict[str, Any] = {}
        self._sender = TelemetrySender(reverb.Client(address), role, task)
        self._ended = threading.Event()
        self._leaving = threading.Event()
        self._thread = process.start_thread("membership", self._watch)
        logging.info("%s joined run %s at %s", role, self.manifest.run_id, address)

    def is_running(self) -> bool:
        """Whether the run goes on and nobody asked this process to stop."""
        return not (self._stop.is_set() or self._ended.is_set())

    def run_has_ended(self) -> bool:
        """Whether the end of the run was announced."""
        return self._ended.is_set()

    @property
    def inserted_items(self) -> int:
        """Items inserted into the replay table so far, as of the last look."""
        return self._inserted_items

    def report(self, **figures: Any) -> None:
        """Sets figures to be sent with the next telemetry rows."""
        self._figures = {**self._figures, **figures}

    def leave(self) -> None:
        """Sends the last figures, and ends the background thread."""
        self._leaving.set()
        self._thread.join(timeout=5)
        self._send()

    def _watch(self) -> None:
        telemetry = Interval(_TELEMETRY_S)
        last_answer = time.monotonic()
        while not self._leaving.wait(_POLL_S):
            try:
                info = self.client.server_info(timeout=2)
            except address_lib.NO_ANSWER:
                self._give_up_after(last_answer)
                continue
            last_answer = time.monotonic()
            self._inserted_items = _inserted(info)
            if info[tables.END].current_size:
                self._ended.set()
            if telemetry.due():
                self._send()

    def _give_up_after(self, last_answer: float) -> None:
        silent_s = time.monotonic() - last_answer
        if silent_s > SERVER_TIMEOUT_S and not self._leaving.is_set():
            process.fail(
                f"the Reverb server at {self.address} has not answered for "
                f"{silent_s:.0f} s; see its log, and start the run again with --resume."
            )

    def _send(self) -> None:
        memory = psutil.Process().memory_info().rss
        self._sender.send({**self._figures, "memory_mb": round(memory / 2**20)})


def _inserted(info: dict[str, Any]) -> int:
    """Items ever inserted into the replay table."""
    return int(info[tables.REPLAY].rate_limiter_info.insert_stats.completed)
