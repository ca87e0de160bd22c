"""The server of one run: its tables, its manifest, and the figures of all processes."""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import time
from pathlib import Path
from typing import Any, Callable

import reverb
import tensorflow as tf

from experiment import proxy, run_dir, run_start
from experiment.definition import Experiment, operative_text
from experiment.errors import ConfigurationError
from experiment.interval import Interval
from experiment.manifest import Manifest
from reverb_server import figures, restored_server, run_tables, scaling, tables
from reverb_server.address import NO_ANSWER
from reverb_server.kept_end import KeptEnd
from reverb_server.known_learner import KnownLearner, first_step
from reverb_server.known_shards import KnownShards
from reverb_server.metrics_endpoint import MetricsEndpoint
from reverb_server.metrics_log import MetricsLog
from reverb_server.replay_figures import Counts, ReplayFigures
from reverb_server.replay_snapshots import ReplaySnapshots, Snapshot
from reverb_server.resources import Resources
from reverb_server.scaling import Scaling
from reverb_server.snapshot_keeper import (
    LAST_SNAPSHOT_S,
    STAY_POLL_S,
    SnapshotKeeper,
)
from reverb_server.stall_watch import StallWatch
from reverb_server.summaries import Summaries
from reverb_server.telemetry import SNAPSHOT, drain, identity

_POLL_S = 0.5

# Seconds that the Reverb server of this very process may take to answer, on a machine
# that is busy with other things.
_ANSWER_S = 60

# Seconds between two rows of the server's own, if nobody sends any.
_OWN_ROW_S = 2.0

# Seconds without a word from anybody, after the end, until a server started by hand
# ends too. The launcher ends its server as soon as all others are gone.
_QUIET_S = 15.0


class RunServer:
    """A running Reverb server that holds one run.

    Attributes:
      address: host:port for clients on this machine.
      client: For short calls.
      manifest: As it was published.
    """

    def __init__(
        self,
        experiment: Experiment,
        manifest: Manifest,
        port: int,
        restore: bool = True,
        is_restart: bool = False,
        metrics_address: tuple[str, int] | None = None,
    ) -> None:
        """Builds the experiment once, for its specs; starts the server.

        Args:
          experiment: What is learned.
          manifest: Of the run.
          port: To serve at.
          restore: Whether to restore the replay table from the run's snapshots.
          is_restart: Whether it takes the place of a server that died just now: what
            is missing then, all snapshots or the port of the figures, it does without.
          metrics_address: Where Prometheus is to find the figures, if anywhere.

        Raises:
          ConfigurationError: The experiment cannot be built, or does not fit what the
            run has stored, or all snapshots are damaged.
        """
        root_dir = Path(manifest.root_dir)
        self._lock = run_dir.lock(root_dir)
        self._endpoint = metrics_address and MetricsEndpoint(
            *metrics_address, manifest, is_restart
        )
        make_tables = self._settle(experiment, manifest)
        self._items = experiment.replay.env_steps_per_item
        self._snapshots = ReplaySnapshots(root_dir)
        # Keep it: a Reverb server that nobody refers to stops.
        self._server, restored = self._start(make_tables, port, restore)
        if restored is None:
            restored_server.tell_lost(self._snapshots, restore and not is_restart)
        proxy.bypass("localhost")
        self.address = f"localhost:{port}"
        self.client = reverb.Client(self.address)
        self._replay_figures = ReplayFigures(experiment.replay)
        self._resources = Resources()
        self._stalls = StallWatch(self.address, self._items)
        known = run_dir.last_row(root_dir, figures.SERVER)
        self._learner = KnownLearner(first_step(known, manifest, restored, is_restart))
        self._keeper = SnapshotKeeper(self._snapshots, self.env_steps)
        servers = manifest.num_replay_servers
        self._shards = KnownShards.of(self.address, known, servers, self._items)
        self._publish(root_dir, self._shards.left_out_of(known), restored)
        if restored and not is_restart:
            self._shards.forget()
        can_scale = functools.partial(scaling.check, experiment, servers=servers)
        self._scaling = Scaling(root_dir, can_scale, self._scale, is_restart)
        self._end = KeptEnd(self.address, root_dir, is_restart)
        self._metrics = MetricsLog(root_dir)
        self._summaries = Summaries(root_dir, operative_text())

    def _settle(
        self, experiment: Experiment, manifest: Manifest
    ) -> Callable[[], list[reverb.Table]]:
        """Completes the manifest by the agent's weights; returns how to make tables."""
        environment = experiment.environment()
        if experiment.train.mixed_precision:  # Refused here, not by the learner.
            experiment.make_agent(environment, is_mixed=True)
        agent, train_step = experiment.make_agent(environment)
        weights = tf.nest.flatten(tables.weights_of(agent, train_step))
        kinds = [f"{each.dtype.name}{each.shape.as_list()}" for each in weights]
        self.manifest = run_start.settle(manifest, kinds)
        return functools.partial(
            tables.make_tables,
            experiment,
            agent,
            train_step,
            manifest.num_actors,
            str(run_tables.Identity.of(manifest)),
            manifest.num_replay_servers,
        )

    def _start(
        self, make_tables: Callable[[], list[reverb.Table]], port: int, restore: bool
    ) -> tuple[reverb.Server, Snapshot | None]:
        try:
            return restored_server.start(make_tables, port, self._snapshots, restore)
        except ConfigurationError as error:
            if not self.manifest.changes:
                raise
            changes = "; ".join(self.manifest.changes)
            raise ConfigurationError(f"--resume: {changes}: {error}") from error

    def _publish(self, root_dir: Path, known: int, restored: Snapshot | None) -> None:
        """Tells the run to those that join and to those that look into the folder."""
        env_steps = restored.env_steps if restored else known
        counted = self._inserted(
            self.client.server_info(timeout=_ANSWER_S)[tables.REPLAY]
        )
        self.manifest = dataclasses.replace(
            self.manifest,
            earlier_env_steps=env_steps - counted,
            replay_train_step=restored.train_step if restored else None,
        )
        self._write_files(root_dir, must_succeed=self.manifest.server_start == 1)
        for change in self.manifest.changes:
            logging.warning("changed by this resume, and applied: %s", change)
        run_tables.publish_manifest(self.client, self.manifest)
        logging.info("run %s is served at %s", self.manifest.run_id, self.address)

    def _write_files(self, root_dir: Path, must_succeed: bool = False) -> None:
        try:
            run_dir.write_text(root_dir / run_dir.CONFIG, operative_text())
            run_dir.write_text(root_dir / run_dir.MANIFEST, self.manifest.to_json())
        except OSError:
            if must_succeed:
                raise
            # The run has its files, and goes on with a full disk.
            logging.exception("the run's manifest could not be written anew")

    def _scale(self, num_actors: int) -> None:
        self._tell(dataclasses.replace(self.manifest, num_actors=num_actors))
        logging.info("the run is scaled to %d actors", num_actors)

    def _tell(self, manifest: Manifest) -> None:
        """Tells the run, those that join, and a resume, of what has changed."""
        if manifest != self.manifest:
            self.manifest = manifest
            self._write_files(Path(manifest.root_dir))
            run_tables.publish_manifest(self.client, manifest)

    def serve(
        self, should_stop: Callable[[float], bool], is_supervised: bool = False
    ) -> None:
        """Keeps the figures of all processes until told to stop, or all have gone.

        Args:
          should_stop: Waits as many seconds as it is given, then says whether to stop.
          is_supervised: Whether somebody tells it to stop for sure; some may still be
            about to join then.
        """
        own_row = Interval(_OWN_ROW_S)
        last_heard = time.monotonic()
        while not should_stop(_POLL_S):
            self._scaling.look()
            if self.keep_rows(own_row.due()):
                last_heard = time.monotonic()
            if is_supervised or not self._end.is_kept:
                continue
            if time.monotonic() - last_heard > _QUIET_S:
                return
        stays_until = time.monotonic() + LAST_SNAPSHOT_S
        while self._learner.is_here and time.monotonic() < stays_until:
            time.sleep(STAY_POLL_S)
            self.keep_rows()

    def env_steps(self) -> int:
        """Environment steps of the run so far, but for those of further servers."""
        info = self.client.server_info(timeout=_ANSWER_S)[tables.REPLAY]
        return self.manifest.earlier_env_steps + self._inserted(info)

    def replay_size(self) -> int:
        """Transitions in the replay table."""
        info = self.client.server_info(timeout=_ANSWER_S)
        return int(info[tables.REPLAY].current_size) * self._items

    @property
    def newest_train_step(self) -> int:
        """Of the learner, as far as it has told."""
        return self._learner.train_step

    def store_replay(self, train_step: int) -> str | None:
        """Takes a snapshot of the replay table; as `Membership.store_replay`."""
        return self._keeper.store(self.client, train_step)

    def stop(self, keeps_end: bool = False) -> None:
        """Keeps the last rows, and stops the server.

        Args:
          keeps_end: Whether a server that takes this one's place has to say the end of
            the run again, if it has ended: somebody may not have been told.
        """
        self.keep_rows()
        self._shards.close()
        self._server.stop()
        if not keeps_end:
            self._end.forget()
        if self._endpoint:
            self._endpoint.close()
        os.close(self._lock)

    def keep_rows(self, is_due: bool = False) -> int:
        """Keeps what is new; returns how many rows other processes had sent.

        Args:
          is_due: Whether to write the server's own row even if nobody sent one.
        """
        try:
            info = self.client.server_info(timeout=5)
        except NO_ANSWER:  # The machine is this busy: the next round will do.
            return 0
        rows = drain(self.client, info[tables.TELEMETRY].current_size)
        received = len(rows)
        for row in rows:
            if SNAPSHOT in row:
                self._keeper.take(row[SNAPSHOT])
            elif row["role"] == figures.LEARNER:
                self._learner.take(row)
            elif row["role"] == figures.SHARD:
                self._shards.hear(row)
        told, now = [row for row in rows if SNAPSHOT not in row], time.monotonic()
        stall = self._stalls.look(info, told, now, self._shards.watched)
        self._tell(self._shards.update(self.manifest, self._stalls.peers, now))
        if received or is_due:
            rows.append({**self._own_row(info), "stall": stall})
        rows += self._end.look(info)
        self._metrics.write(rows)
        self._summaries.write(rows)
        if self._endpoint:
            self._endpoint.write(rows)
        return received

    def _own_row(self, info: dict[str, Any]) -> dict[str, Any]:
        own, apart = info[tables.REPLAY], sum(self._shards.env_steps)
        env_steps = self.manifest.earlier_env_steps + self._inserted(own) + apart
        counts = [Counts.of(own), *self._shards.counts]
        return {
            **identity(figures.SERVER, 0),
            "time": time.time(),
            "train_step": self.newest_train_step,
            "num_actors": self.manifest.num_actors,
            "problem": self._keeper.problem
            or self._shards.problem
            or (self._endpoint and self._endpoint.problem),
            **self._replay_figures.row(counts, env_steps),
            **self._resources.figures(),
            **self._shards.figures(),
        }

    def _inserted(self, replay: Any) -> int:
        """Transitions that were ever inserted, as far as the table knows."""
        return int(replay.rate_limiter_info.insert_stats.completed) * self._items
