"""A further replay server: its tables, what it tells of them, and its snapshots."""

from __future__ import annotations

import functools
import logging
import os
import time
from pathlib import Path
from typing import Any, Callable

import reverb

from experiment import definition, proxy, run_dir
from experiment.errors import ConfigurationError
from experiment.interval import Rate
from reverb_server import address as address_lib
from reverb_server import restored_server, sharding, tables
from reverb_server import shard as shard_lib
from reverb_server.membership import Membership
from reverb_server.replay_figures import Counts
from reverb_server.replay_snapshots import ReplaySnapshots
from reverb_server.run_tables import Identity
from reverb_server.snapshot_keeper import SnapshotKeeper
from reverb_server.telemetry import SNAPSHOT, drain

_POLL_S = 0.5

# Seconds that the Reverb server of this very process may take to answer.
_ANSWER_S = 60

# Seconds without an answer of the first server after which the run that has ended is
# over: nobody is left who would store anything.
_OVER_S = 5.0


class ShardServer:
    """A running Reverb server with a share of a run's replay.

    Attributes:
      address: host:port as the first server hears it.
      client: For short calls.
    """

    def __init__(
        self,
        run: Membership,
        number: int,
        port: int,
        root_dir: Path,
        restore: bool = True,
        is_restart: bool = False,
    ) -> None:
        """Starts the server, with what its last snapshot has.

        Args:
          run: That it has joined.
          number: Of this server among the further ones, from 1.
          port: To serve at.
          root_dir: Folder of the run on this host.
          restore: Whether to restore its replay table.
          is_restart: Whether it takes the place of one that died just now: it does
            without snapshots that cannot be read.

        Raises:
          ConfigurationError: The run has no such server, or has it elsewhere; or the
            snapshots are of other settings, or all damaged.
        """
        self._run = run
        self.address = address_lib.own_address(run.address, port)
        _require_place(run, number, self.address)
        self._snapshots = ReplaySnapshots(root_dir, number)
        self._lock = run_dir.lock(self._snapshots.folder_of_server)
        experiment = definition.load_run(run.manifest)
        self._items = experiment.replay.env_steps_per_item
        servers = run.manifest.num_replay_servers
        make_tables = functools.partial(
            tables.make_shard_tables,
            sharding.share_of(experiment, servers),
            address_lib.ask(run.client)[tables.REPLAY].signature,
            run.manifest.num_actors,
            # Each life of this server is another one: the time tells them apart.
            str(Identity(shard_lib.name_of(run.manifest.run_id, number), _now_ms())),
        )
        # Keep it: a Reverb server that nobody refers to stops.
        self._server, restored = restored_server.start(
            make_tables, port, self._snapshots, restore
        )
        if restored is None:
            restored_server.tell_lost(self._snapshots, restore and not is_restart)
        proxy.bypass("localhost")
        self.client = reverb.Client(f"localhost:{port}")
        self._keeper = SnapshotKeeper(self._snapshots, self.env_steps)
        self._rate = Rate()
        self._rate.update(self.env_steps())
        run.report(address=self.address)
        run.report_from(self._figures)
        logging.info("replay shard %d is served at %s", number, self.address)

    def serve(self, should_stop: Callable[[float], bool]) -> None:
        """Keeps snapshots until told to stop, or the run is over.

        Args:
          should_stop: Waits as many seconds as it is given, then says whether to stop.
        """
        heard_at: float | None = None  # Of the first server, after the end of the run.
        while not should_stop(_POLL_S):
            self.keep_snapshots()
            if not self._run.run_has_ended():
                continue
            if heard_at is None:  # Its rows would keep the first server from ending.
                self._run.leave()
            if heard_at is None or self._first_answers():
                heard_at = time.monotonic()
            if time.monotonic() - heard_at > _OVER_S:
                break
        self.keep_snapshots()
        self.stop()

    def keep_snapshots(self) -> None:
        """Keeps what the learner has let Reverb write since the last time."""
        info = self.client.server_info(timeout=_ANSWER_S)
        for row in drain(self.client, info[tables.TELEMETRY].current_size):
            if SNAPSHOT in row:
                self._keeper.take(row[SNAPSHOT])

    def env_steps(self) -> int:
        """Environment steps that its table counts, in transitions."""
        return self._counts().inserted * self._items

    def stop(self) -> None:
        """Leaves the run, and stops the server, which counts nothing any longer."""
        self._run.leave()
        self._run.report_from(dict)
        self._server.stop()
        os.close(self._lock)

    def _counts(self) -> Counts:
        info = self.client.server_info(timeout=_ANSWER_S)
        return Counts.of(info[tables.REPLAY])

    def _figures(self) -> dict[str, Any]:
        counts = self._counts()
        return {
            "replay_size": counts.size * self._items,
            "env_steps_per_s": self._rate.update(counts.inserted * self._items),
            "problem": self._keeper.problem,
        }

    def _first_answers(self) -> bool:
        try:
            self._run.client.server_info(timeout=1)
        except address_lib.NO_ANSWER:
            return False
        return True


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _require_place(run: Membership, number: int, address: str) -> None:
    """Refuses a server that the run has no place for.

    Its other processes know each server by one address, for as long as the run goes on.

    Raises:
      ConfigurationError: It has none.
    """
    places = run.manifest.replay_shards
    if number > len(places):
        raise ConfigurationError(
            f"--shard is {number}, but the run at {run.address} has "
            f"{run.manifest.num_replay_servers} replay servers, the first one "
            f"included; start that with --num_replay_servers={number + 1}, or leave "
            "this one out."
        )
    known = places[number - 1]
    if known not in ("", address):
        raise ConfigurationError(
            f"replay shard {number} of this run is at {known}, and would be at "
            f"{address} now; start it there, by --port={known.rpartition(':')[2]}."
        )
