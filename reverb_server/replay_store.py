"""Lets the servers of a run write their replay tables, for the learner."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Callable

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
    """The replay table of one server.

    Attributes:
      is_lost: Says whether the server is; the first one is waited for.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], tuple[reverb.Client, TelemetrySender]],
        is_lost: Callable[[], bool] = lambda: False,
    ) -> None:
        self._name = name
        self._connect = connect
        self.is_lost = is_lost
        self._thread: threading.Thread | None = None
        self._ended: list[str | None] = []

    @property
    def is_busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def problem(self) -> str | None:
        """Why it could not be written; None if it was."""
        late = f"{self._name} has not written it in time"
        return self._ended[0] if self._ended else late

    def begin(self, train_step: int, is_last: bool) -> str | None:
        """Lets the server write; says why not if it is still at it."""
        if self.is_busy:
            return f"{self._name} is still writing the former one"
        self._ended = ended = []
        self._thread = process.start_thread(
            "checkpoint", lambda: ended.append(self._checkpoint(train_step, is_last))
        )
        return None

    def wait(self, seconds: float) -> None:
        if self._thread:
            self._thread.join(seconds)

    def _checkpoint(self, train_step: int, is_last: bool) -> str | None:
        """Lets Reverb write, however long it takes, and tells the server of it."""
        client, sender = self._connect()
        path, problem = None, None
        try:
            path = client.checkpoint()
        # IndexError is what Reverb raises on a full disk.
        except (*NO_ANSWER, IndexError) as error:
            problem = f"{self._name}: {one_line(error)}"
        written = {"train_step": train_step, "path": path, "is_last": is_last}
        for _ in range(_SNAPSHOT_TRIES):
            if sender.send({SNAPSHOT: written}):
                return problem
        return problem or f"{self._name} did not hear of it"


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
        self._shards = shards
        first = "the first server" if shards else "the server"
        self._stores = [
            _Store(first, lambda: (client, sender)),
            *(_of_shard(shard) for shard in shards),
        ]

    def store(self, train_step: int, stop: process.StopSignal) -> str | None:
        """Lets Reverb write them; the share of a server that is lost is not written.

        Args:
          train_step: Of the weights that they belong to.
          stop: Leaves some seconds only.

        Returns:
          Why one could not be written, on one line; None if all were.
        """
        there = [each for each in self._stores if not each.is_lost()]
        begun = [(each, each.begin(train_step, stop.is_set())) for each in there]
        problems = [late for _, late in begun if late]
        writing = [each for each, late in begun if not late]
        self._await(writing, stop)
        problems += [each.problem for each in writing if each.problem]
        lost = [shard for shard in self._shards if shard.is_lost]
        if lost:
            numbers = ", ".join(str(shard.number) for shard in lost)
            problems.append(f"replay shard {numbers} is lost, and so is its share")
        return "; ".join(problems) or None

    def _await(self, writing: Sequence[_Store], stop: process.StopSignal) -> None:
        """Waits for those that write; one that is lost meanwhile is not waited for."""
        deadline = time.monotonic() + _CHECKPOINT_TIMEOUT_S
        while time.monotonic() < deadline:
            busy = [each for each in writing if each.is_busy and not each.is_lost()]
            if not busy:
                return
            if stop.is_set():  # There are seconds left, for the weights too.
                deadline = min(deadline, time.monotonic() + process.GRACE_S / 2)
            busy[0].wait(_POLL_S)


def _of_shard(shard: Shard) -> _Store:
    """That of a further server, by the connection of the moment: it may come back."""

    def connect() -> tuple[reverb.Client, TelemetrySender]:
        sender = TelemetrySender(reverb.Client(shard.address), figures.LEARNER, 0)
        return shard.client, sender

    return _Store(f"replay shard {shard.number}", connect, lambda: shard.is_lost)
