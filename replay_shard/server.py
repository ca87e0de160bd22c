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
from experiment.definition import Experiment
from experiment.errors import ConfigurationError
from experiment.interval import Rate
from reverb_server import address as address_lib
from reverb_server import restored_server, sharding, tables
from reverb_server import shard as shard_lib
from reverb_server.membership import Membership
from reverb_server.replay_figures import Counts
from reverb_server.replay_snapshots import ReplaySnapshots
from reverb_server.run_tables import Identity
from reverb_server.snapshot_keeper import (
    LAST_SNAPSHOT_S,
    STAY_POLL_S,
    SnapshotKeeper,
)
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
        discard: bool = False,
        is_restart: bool = False,
    ) -> None:
        """Starts the server, with what its last snapshot has.

        Args:
          run: That it has joined.
          number: Of this server among the further ones, from 1.
          port: To serve at.
          root_dir: Folder of the run on this host.
          discard: Whether to begin with an empty replay table; once in each resume.
          is_restart: Whether it takes the place of one that died just now: it does
            without snapshots that cannot be read.

        Raises:
          ConfigurationError: The run has no such server, or has it elsewhere; or the
            snapshots are of another run, of other settings, or all damaged.
        """
        self._run = run
        self._number = number
        self.address = address_lib.own_address(run.address, port)
        _require_place(run, number, self.address)
        self._snapshots = ReplaySnapshots(root_dir, number)
        self._lock, restore = self._settle(discard)
        experiment = definition.load_run(run.manifest)
        self._items = experiment.replay.env_steps_per_item
        # Keep it: a Reverb server that nobody refers to stops.
        self._server, restored = restored_server.start(
            self._make_tables(experiment), port, self._snapshots, restore
        )
        if discard:
            self._snapshots.note_discard(self._resumes)
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

    def _make_tables(self, experiment: Experiment) -> Callable[[], list[reverb.Table]]:
        """How to make its tables, which hold a share of what is sent to the first's."""
        run = self._run.manifest
        return functools.partial(
            tables.make_shard_tables,
            sharding.share_of(experiment, run.num_replay_servers),
            address_lib.ask(self._run.client)[tables.REPLAY].signature,
            run.num_actors,
            # Each life of this server is another one: the time tells them apart.
            str(Identity(shard_lib.name_of(run.run_id, self._number), _now_ms())),
        )

    @property
    def _resumes(self) -> int:
        """How often the run was resumed."""
        return len(self._run.manifest.pauses)

    def _settle(self, discard: bool) -> tuple[int, bool]:
        """The lock of its folder, which is this run's; whether to restore from it.

        It may be started any number of times by the same command, and has to keep what
        it has stored since the first time.
        """
        if discard and not self._resumes:
            raise ConfigurationError(
                "--discard_replay means nothing for a run that was not resumed: leave "
                "it out."
            )
        folder = self._snapshots.folder_of_server
        lock = run_dir.lock(folder)
        run_id, is_used = self._run.manifest.run_id, self._snapshots.are_there()
        run_dir.require_own(folder, run_id, "replay snapshots", is_used)
        return lock, not discard or self._snapshots.discarded_at == self._resumes

    def serve(self, should_stop: Callable[[float], bool]) -> None:
        """Keeps snapshots until told to stop, or the run is over.

        Args:
          should_stop: Waits as many seconds as it is given, then says whether to stop.

        Raises:
          ConfigurationError: Another process is this server of the run.
        """
        heard_at: float | None = None  # Of the first server, after the end of the run.
        while not should_stop(_POLL_S):
            self.keep_snapshots()
            if not self._run.run_has_ended():
                # Others may have been started with the same number at the same time.
                _require_place(self._run, self._number, self.address)
                continue
            if heard_at is None:  # Its rows would keep the first server from ending.
                self._run.leave()
            if heard_at is None or self._first_answers():
                heard_at = time.monotonic()
            if time.monotonic() - heard_at > _OVER_S:
                break
        self._keep_last()
        self.stop()

    def _keep_last(self) -> None:
        """Keeps what a learner that was told to stop as well lets it write at last."""
        stays_until = time.monotonic() + LAST_SNAPSHOT_S
        self.keep_snapshots()
        while self._learner_may_store() and time.monotonic() < stays_until:
            time.sleep(STAY_POLL_S)
            self.keep_snapshots()

    def _learner_may_store(self) -> bool:
        """Not when the run has ended, or if nobody has ever sampled."""
        is_over = self._run.run_has_ended() or self._keeper.has_last
        return not is_over and self._counts().sampled > 0

    def keep_snapshots(self) -> None:
        """Keeps what the learner has let Reverb write since the last time."""
        try:
            info = self.client.server_info(timeout=_ANSWER_S)
        except (
            address_lib.NO_ANSWER
        ):  # The machine is this busy: the next round will do.
            return
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
        info = address_lib.ask(self.client, _ANSWER_S)
        return Counts.of(info[tables.REPLAY])

    def _figures(self) -> dict[str, Any]:
        try:
            counts = self._counts()
        except TimeoutError:  # As above.
            return {}
        return {
            "replay_size": counts.size * self._items,
            "env_steps_per_s": self._rate.update(counts.inserted * self._items),
            "problem": self._keeper.problem,
        }

    def _first_answers(self) -> bool:
        """Whether the run's first server does: the next run may have its address."""
        try:
            found = Identity.read(self._run.client.server_info(timeout=1))
        except address_lib.NO_ANSWER:
            return False
        return found is not None and found.run_id == self._run.manifest.run_id


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
            f"{address} now; start it there, by --port={known.rpartition(':')[2]}, or "
            "give this process another --shard."
        )
