"""The server of one run: its tables, its manifest, and the figures of all processes."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Any, Callable

import psutil
import reverb
from tf_agents.experimental.distributed import reverb_variable_container

from experiment import run_dir
from experiment.definition import Experiment, operative_text
from experiment.interval import Rate
from experiment.manifest import Manifest
from reverb_server import run_tables, tables
from reverb_server.address import NO_ANSWER, bypass_proxy
from reverb_server.telemetry import drain

_POLL_S = 0.5

# Seconds without a word from anybody, after the end, until a server started by hand
# ends too. The launcher ends its server as soon as all others are gone.
_QUIET_S = 15.0


class RunServer:
    """A running Reverb server that holds one run.

    Attributes:
      address: host:port for clients on this machine.
      client: For short calls.
    """

    def __init__(self, experiment: Experiment, manifest: Manifest, port: int) -> None:
        """Builds the experiment once, for its specs; starts the server.

        Raises:
          ConfigurationError: The experiment cannot be built.
        """
        root_dir = Path(manifest.root_dir)
        self._lock = run_dir.lock(root_dir)
        agent, train_step = experiment.make_agent(experiment.environment())
        self._items = experiment.replay.transitions_per_item
        # Keep it: a Reverb server that nobody refers to stops.
        self._server = reverb.Server(
            tables.make_tables(experiment, agent, train_step, manifest.num_actors),
            port=port,
        )
        bypass_proxy("localhost")
        self.address = f"localhost:{port}"
        self.client = reverb.Client(self.address)
        self._rates = {"inserts": Rate(), "samples": Rate()}
        run_dir.write_text(root_dir / run_dir.CONFIG, operative_text())
        run_dir.write_text(root_dir / run_dir.MANIFEST, manifest.to_json())
        self._metrics = root_dir / run_dir.METRICS
        self._end_is_kept = False
        run_tables.publish_manifest(self.client, manifest)
        logging.info("run %s is served at %s", manifest.run_id, self.address)

    def serve(
        self, should_stop: Callable[[float], bool], is_supervised: bool = False
    ) -> None:
        """Keeps the figures of all processes until told to stop, or all have gone.

        Args:
          should_stop: Waits as many seconds as it is given, then says whether to stop.
          is_supervised: Whether somebody tells it to stop for sure; some may still be
            about to join then.
        """
        last_heard = time.monotonic()
        while not should_stop(_POLL_S):
            if self._keep_new_rows():
                last_heard = time.monotonic()
            if is_supervised or not self._end_is_kept:
                continue
            if time.monotonic() - last_heard > _QUIET_S:
                return

    def stop(self) -> None:
        """Keeps the last rows, and stops the server."""
        self._keep_new_rows()
        self._server.stop()
        os.close(self._lock)

    def _keep_new_rows(self) -> int:
        """Writes what is new; returns how many rows other processes had sent."""
        try:
            info = self.client.server_info(timeout=5)
        except NO_ANSWER:  # The machine is this busy: the next round will do.
            return 0
        rows = drain(self.client, info[tables.TELEMETRY].current_size)
        received = len(rows)
        if received:
            rows.append(self._own_row(info))
        if info[tables.END].current_size and not self._end_is_kept:
            self._end_is_kept = True
            rows.append(self._end_row())
        with self._metrics.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        return received

    def _own_row(self, info: dict[str, Any]) -> dict[str, Any]:
        """The replay table's figures, in transitions."""
        replay = info[tables.REPLAY]
        inserted = replay.rate_limiter_info.insert_stats.completed * self._items
        sampled = replay.rate_limiter_info.sample_stats.completed * self._items
        return {
            "role": "reverb_server",
            "task": 0,
            "time": time.time(),
            "replay_size": replay.current_size * self._items,
            "replay_max_size": replay.max_size * self._items,
            "memory_mb": round(psutil.Process().memory_info().rss / 2**20),
            "env_steps": inserted,
            "env_steps_per_s": self._rates["inserts"].update(inserted),
            "samples_per_s": self._rates["samples"].update(sampled),
        }

    def _end_row(self) -> dict[str, Any]:
        status, weights = run_tables.read_end(self.address)
        step = int(weights[reverb_variable_container.TRAIN_STEP_KEY])
        logging.info("the run has ended: %s at train step %d", status, step)
        return {
            "role": "run",
            "time": time.time(),
            "status": status,
            "train_step": step,
        }
