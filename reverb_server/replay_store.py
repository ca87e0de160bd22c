"""Lets the servers of a run write their replay tables, for the learner."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import reverb

from experiment import process
from experiment.errors import one_line
from reverb_server import figures
from reverb_server.address import NO_ANSWER
from reverb_server.shard import Shard
from reverb_server.telemetry import SNAPSHOT, TelemetrySender

# Seconds for which the learner waits for Reverb to write the replay table, and how
# often it tells the server that it has.
_CHECKPOINT_TIMEOUT_S = 60.0
_SNAPSHOT_TRIES = 5

_POLL_S = 0.5


class _Store:
    """The replay table of one server."""

    def __init__(self, client: reverb.Client, sender: TelemetrySender) -> None:
        self._client = client
        self._sender = sender
        self._thread: threading.Thread | None = None
        self._ended: list[str | None] = []

    @property
    def is_busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def problem(self) -> str | None:
        """Why it could not be written; None if it was."""
        return (
            self._ended[0] if self._ended else "the server has not written it in time"
        )

    def begin(self, train_step: int) -> None:
        self._ended = ended = []
        self._thread = process.start_thread(
            "checkpoint", lambda: ended.append(self._checkpoint(train_step))
        )

    def wait(self, seconds: float) -> None:
        if self._thread:
            self._thread.join(seconds)

    def _checkpoint(self, train_step: int) -> str | None:
        """Lets Reverb write, however long it takes, and tells the server of it."""
        path, problem = None, None
        try:
            path = self._client.checkpoint()
        # IndexError is what Reverb raises on a full disk.
        except (*NO_ANSWER, IndexError) as error:
            problem = one_line(error)
        row = {SNAPSHOT: {"train_step": train_step, "path": path}}
        for _ in range(_SNAPSHOT_TRIES):
            if self._sender.send(row):
                return problem
        return problem or "the server did not hear of it"


class ReplayStore:
    """The replay tables of all servers, which are written side by side."""

    def __init__(
        self, client: reverb.Client, sender: TelemetrySender, shards: Sequence[Shard]
    ) -> None:
        """Takes the servers.

        Args:
          client: Of the first server.
          sender: Of rows to it.
          shards: The further ones.
        """
        self._stores: list[tuple[Shard | None, _Store]] = [
            (None, _Store(client, sender)),
            *((shard, _Store(shard.client, _sender_to(shard))) for shard in shards),
        ]

    def store(self, train_step: int, stop: process.StopSignal) -> str | None:
        """Lets Reverb write them; the share of a server that is lost is not written.

        Args:
          train_step: Of the weights that they belong to.
          stop: Leaves some seconds only.

        Returns:
          Why one could not be written, on one line; None if all were.
        """
        begun = [(shard, each) for shard, each in self._stores if not _is_lost(shard)]
        if any(each.is_busy for _, each in begun):
            return "the server is still writing the former one"
        for _, each in begun:
            each.begin(train_step)
        deadline = time.monotonic() + _CHECKPOINT_TIMEOUT_S
        while time.monotonic() < deadline:
            # One that is lost meanwhile is not waited for.
            busy = [s for shard, s in begun if s.is_busy and not _is_lost(shard)]
            if not busy:
                break
            if stop.is_set():  # There are seconds left, for the weights too.
                deadline = min(deadline, time.monotonic() + process.GRACE_S / 2)
            busy[0].wait(_POLL_S)
        problems = [each.problem for _, each in begun if each.problem]
        lost = [shard for shard, _ in self._stores if shard and shard.is_lost]
        if lost:
            numbers = ", ".join(str(shard.number) for shard in lost)
            problems.append(f"replay shard {numbers} is lost, and so is its share")
        return "; ".join(problems) or None


def _is_lost(shard: Shard | None) -> bool:
    """Whether a further server is; the first one is waited for."""
    return shard is not None and shard.is_lost


def _sender_to(shard: Shard) -> TelemetrySender:
    """Of the learner's rows to a further server, which reads those of snapshots."""
    return TelemetrySender(reverb.Client(shard.address), figures.LEARNER, 0)
