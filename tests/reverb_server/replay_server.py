"""Replay tables with numbered items, stored as a run stores them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import portpicker
import reverb
import tensorflow as tf

from reverb_server import restored_server, tables
from reverb_server.replay_snapshots import ReplaySnapshots, Snapshot


@dataclasses.dataclass(frozen=True)
class Settings:
    """How the replay table is made."""

    max_size: int = 100
    samples_per_insert: float = 1.0
    buffer: float = 1_000_000.0
    min_size: int = 2
    width: int = 3

    def tables(self) -> list[reverb.Table]:
        """The replay table, and one of those whose content is not restored."""
        return [
            reverb.Table(
                tables.REPLAY,
                sampler=reverb.selectors.Uniform(),
                remover=reverb.selectors.Fifo(),
                max_size=self.max_size,
                rate_limiter=reverb.rate_limiters.SampleToInsertRatio(
                    self.samples_per_insert, self.min_size, self.buffer
                ),
                signature={"steps": tf.TensorSpec([self.width], tf.uint8, "steps")},
            ),
            reverb.Table(
                tables.TELEMETRY,
                sampler=reverb.selectors.Fifo(),
                remover=reverb.selectors.Fifo(),
                max_size=10,
                rate_limiter=reverb.rate_limiters.MinSize(1),
                signature=tf.TensorSpec([], tf.string),
            ),
        ]


@dataclasses.dataclass(frozen=True)
class Replay:
    """A server that was started, and what it was restored from."""

    server: reverb.Server
    client: reverb.Client
    snapshots: ReplaySnapshots
    restored: Snapshot | None
    settings: Settings

    def insert(self, numbers: Sequence[int]) -> None:
        """Inserts an item for each number; it is in each of its bytes."""
        with self.client.trajectory_writer(1) as writer:
            for number in numbers:
                steps = np.full([self.settings.width], number, np.uint8)
                writer.append({"steps": steps})
                item = {"steps": writer.history["steps"][-1]}
                writer.create_item(tables.REPLAY, 1.0, item)
            writer.flush()

    def info(self, table: str = tables.REPLAY) -> Any:
        """What the server says of a table."""
        return self.client.server_info(timeout=10)[table]

    def numbers(self) -> set[int]:
        """Those of all items, found by sampling many times."""
        count = 30 * self.info().current_size
        samples = self.client.sample(tables.REPLAY, count, emit_timesteps=False)
        steps = [sample.data[0].ravel() for sample in samples]
        assert all(len(set(one.tolist())) == 1 for one in steps)
        return {int(one[0]) for one in steps}

    def store(self, train_step: int) -> Snapshot:
        """Stores the table as a run does."""
        path = Path(self.client.checkpoint())
        return self.snapshots.keep(path, train_step, env_steps=train_step)


@contextlib.contextmanager
def replay_server(root_dir: Path, **settings: Any) -> Iterator[Replay]:
    """Starts a server in the folder of a run, as that run's next one."""
    snapshots, made = ReplaySnapshots(root_dir), Settings(**settings)
    port = portpicker.pick_unused_port()
    server, restored = restored_server.start(made.tables, port, snapshots, True)
    client = reverb.Client(f"localhost:{port}")
    client.server_info(timeout=20)
    try:
        yield Replay(server, client, snapshots, restored, made)
    finally:
        server.stop()
