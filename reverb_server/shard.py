"""A further replay server of a run, as the other processes see it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, Callable

import reverb

from experiment import process, proxy
from experiment.manifest import Manifest
from reverb_server import address as address_lib
from reverb_server import tables
from reverb_server.replay_figures import Counts
from reverb_server.run_tables import Identity

# Seconds between two looks, that an answer may take, and without one until a server
# that has answered is taken for lost: then nobody waits for it any longer.
_POLL_S = 0.5
_ANSWER_S = 2
_LOST_S = 5.0


def name_of(run_id: str, number: int) -> str:
    """What stands for the run's id in the `Identity` of a further server."""
    return f"{run_id}/shard-{number}"


class Shard:
    """Watches one server in the background.

    Attributes:
      number: Of the server; 0 would be the first one of the run.
      address: host:port.
      client: For short calls; another one after each time without an answer.
      inserted: Items that its table has counted, as of the last look.
      table: What `server_info` said of it then; None if it has never answered.
      problem: Why it is lost, as what follows its name; None while it is not.
    """

    def __init__(self, number: int, address: str, run_id: str) -> None:
        """Looks once, and then again and again.

        Args:
          number: Of the server.
          address: host:port.
          run_id: Of the run that it has to be of.
        """
        self._host_port = address_lib.parse_address(address)
        proxy.bypass(self._host_port[0])
        self.number = number
        self.address = address
        self.client = reverb.Client(address)
        self.inserted = 0
        self.table: Any | None = None
        self.problem: str | None = None
        self._sampled = 0
        self._name = name_of(run_id, number)
        self._life: int | None = None
        self._counts = Counts(0, 0, 0, 0)
        self._answers = True
        # So the first look that fails says so: nobody may ever reach it.
        self._answered_at = float("-inf")
        self._on_change: list[Callable[[], None]] = []
        self._leaving = threading.Event()
        self._look()
        self._thread = process.start_thread(f"replay shard {number}", self._watch)

    def __str__(self) -> str:
        """For people."""
        return f"replay shard {self.number} at {self.address}"

    @property
    def is_lost(self) -> bool:
        """Whether nobody may wait for it now, nor write there, nor sample."""
        return self.problem is not None

    @property
    def has_answered(self) -> bool:
        """Whether it ever has."""
        return self._life is not None

    @property
    def counts(self) -> Counts:
        """Of its table; inserts and samples of its earlier lives are counted on."""
        return self._counts._replace(size=0) if self.is_lost else self._counts

    def on_change(self, callback: Callable[[], None]) -> None:
        """Lets a callback be called, in a thread, when it is lost or has come back."""
        self._on_change.append(callback)

    def leave(self) -> None:
        """Ends the watching, once the look that goes on is over."""
        self._leaving.set()

    def join(self) -> None:
        """Waits for the end of the watching."""
        self._thread.join(2 * _ANSWER_S)

    def _watch(self) -> None:
        while not self._leaving.wait(_POLL_S):
            self._look()

    def _look(self) -> None:
        """Takes notice of what it holds, or of its silence."""
        info = self._ask()
        if info is None:
            if time.monotonic() - self._answered_at > _LOST_S:
                self._lose("does not answer")
            return
        found = Identity.read(info)
        if found is None or found.run_id != self._name:
            # Another has its port, and its own learner and actors.
            self._lose(
                f"has made way for a server of {found.run_id if found else 'others'}, "
                f"which is not {self._name}"
            )
            return
        self._answered_at = time.monotonic()
        self.table = info[tables.REPLAY]
        self._take(Counts.of(self.table))
        is_back = self.is_lost or self._life not in (None, found.server_start)
        is_first, self._life = self._life is None, found.server_start
        self.problem = None
        if is_back:
            logging.warning("%s has %s", self, "come" if is_first else "come back")
            self._tell()

    def _ask(self) -> dict[str, Any] | None:
        """What `server_info` says; None if nobody answers."""
        if not self._answers:
            # gRPC waits longer after each connection that was refused, up to half a
            # minute: so it is tried only where somebody listens, by a new client.
            if not address_lib.is_listening(*self._host_port):
                return None
            self.client = reverb.Client(self.address)
        try:
            info = dict(self.client.server_info(timeout=_ANSWER_S))
        except address_lib.NO_ANSWER:
            self._answers = False
            return None
        self._answers = True
        return info

    def _lose(self, problem: str) -> None:
        """Takes it for lost, and says so when the reason is new."""
        if problem == self.problem:
            return
        self.problem = problem
        logging.warning(
            "%s is lost, with its share of the replay: it %s; the run goes on without "
            "it until it is back",
            self,
            problem,
        )
        self._tell()

    def _tell(self) -> None:
        for callback in self._on_change:
            callback()

    def _take(self, new: Counts) -> None:
        """Counts on, though a server that was started again counts from less."""
        old = self._counts
        inserted = new.inserted - self.inserted
        sampled = new.sampled - self._sampled
        self.inserted, self._sampled = new.inserted, new.sampled
        self._counts = new._replace(
            inserted=old.inserted + max(inserted, 0),
            sampled=old.sampled + max(sampled, 0),
        )


def watch(manifest: Manifest, address: str) -> list[Shard]:
    """Begins to watch the further replay servers of a run.

    Args:
      manifest: With all their addresses.
      address: By which this process has found the first server.
    """
    return [
        Shard(number, address_lib.beside(address, each), manifest.run_id)
        for number, each in enumerate(manifest.replay_shards, start=1)
    ]


def leave(shards: Sequence[Shard]) -> None:
    """Ends the watching of all, side by side: each may be waiting for an answer."""
    for shard in shards:
        shard.leave()
    for shard in shards:
        shard.join()


def missing(manifest: Manifest, address: str) -> str:
    """Says which further servers nobody has heard of, and how to start them.

    Args:
      manifest: As the first server has it.
      address: Of that server.
    """
    numbers = [n for n, each in enumerate(manifest.replay_shards, start=1) if not each]
    names = ", ".join(str(number) for number in numbers)
    return (
        f"the replay of this run is spread over {manifest.num_replay_servers} servers, "
        f"and nobody has heard of replay shard {names}; start it by `python -m "
        f"replay_shard --server_address={address} --shard={numbers[0]}`, or see "
        f"logs/replay_shard-{numbers[0]}.log"
    )
