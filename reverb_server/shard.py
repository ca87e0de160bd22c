"""A further replay server of a run, as the other processes see it."""

from __future__ import annotations

import logging
import threading
import time
from typing import Callable

import reverb

from experiment import process, proxy
from experiment.manifest import Manifest
from reverb_server import address as address_lib
from reverb_server import tables
from reverb_server.replay_figures import Counts
from reverb_server.run_tables import Identity

# Seconds between two looks, that an answer may take, and without one until the server
# is taken for lost: then nobody waits for it any longer.
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
      client: For short calls.
      inserted: Items that its table has counted, as of the last look.
      is_lost: Whether it does not answer now.
    """

    def __init__(self, number: int, address: str, run_id: str) -> None:
        """Looks once, and then again and again.

        Args:
          number: Of the server.
          address: host:port.
          run_id: Of the run that it has to be of.
        """
        proxy.bypass(address_lib.parse_address(address)[0])
        self.number = number
        self.address = address
        self.client = reverb.Client(address)
        self.inserted = 0
        self.is_lost = False
        self._sampled = 0
        self._name = name_of(run_id, number)
        self._life: int | None = None
        self._counts = Counts(0, 0, 0, 0)
        self._answered_at = time.monotonic()
        self._on_return: list[Callable[[], None]] = []
        self._leaving = threading.Event()
        self._look()
        self.is_lost = not self.has_answered
        self._thread = process.start_thread(self._label, self._watch)

    @property
    def _label(self) -> str:
        return f"replay shard {self.number}"

    @property
    def has_answered(self) -> bool:
        """Whether it ever has."""
        return self._life is not None

    @property
    def counts(self) -> Counts:
        """Of its table; inserts and samples of its earlier lives are counted on."""
        return self._counts._replace(size=0) if self.is_lost else self._counts

    def on_return(self, callback: Callable[[], None]) -> None:
        """Lets a callback be called, in a thread, whenever it has come back."""
        self._on_return.append(callback)

    def leave(self) -> None:
        """Ends the watching."""
        self._leaving.set()
        self._thread.join(2 * _ANSWER_S)

    def _watch(self) -> None:
        while not self._leaving.wait(_POLL_S):
            answers = self._look()
            silent_s = time.monotonic() - self._answered_at
            if not answers and silent_s > _LOST_S and not self.is_lost:
                self.is_lost = True
                logging.warning(
                    "%s at %s is lost, with its share of the replay: the run goes on "
                    "without it until it is back",
                    self._label,
                    self.address,
                )

    def _look(self) -> bool:
        """Takes notice of what it holds; returns whether it answers."""
        try:
            info = self.client.server_info(timeout=_ANSWER_S)
        except address_lib.NO_ANSWER:
            return False
        found = Identity.read(info)
        if found is None or found.run_id != self._name:
            return False  # Another has its port, which is as good as no answer.
        self._answered_at = time.monotonic()
        self._take(Counts.of(info[tables.REPLAY]))
        was_lost, before = self.is_lost, self._life
        self.is_lost, self._life = False, found.server_start
        if was_lost or before not in (None, self._life):
            logging.warning("%s has come back", self._label)
            for callback in self._on_return:
                callback()
        return True

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
