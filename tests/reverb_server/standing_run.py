"""A run for tests whose tables are real, and whose clock is set by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import reverb

from reverb_server import tables
from reverb_server.stall_watch import StallWatch
from tests.reverb_server.waiting import wait_until

Rows = Sequence[dict[str, Any]]

# Seconds between two looks.
LOOK_S = 2


def actor(task: int = 0, **figures: Any) -> dict[str, Any]:
    """A row of an actor."""
    return {"role": "actor", "task": task, "host": "a", **figures}


def learner(**figures: Any) -> dict[str, Any]:
    """A row of the learner."""
    return {"role": "learner", "task": 0, "host": "b", **figures}


class StandingRun:
    """Real tables, items of 8 transitions, and a clock that is set by hand."""

    def __init__(self, client: reverb.Client, has_weights: bool) -> None:
        """Begins; args: of its tables, and whether the learner has published."""
        self.client = client
        self.watch = StallWatch("localhost:8008", env_steps_per_item=8)
        self.now = 100.0
        if has_weights:
            self.insert(table=tables.VARIABLES)

    def insert(self, items: int = 1, table: str = tables.REPLAY) -> None:
        """Inserts; the limiter must let it."""
        for _ in range(items):
            self.client.insert([np.int64(0)], {table: 1.0})

    def sample(self, items: int = 1) -> None:
        """Samples; the limiter must let it."""

        def sampled() -> int:
            info = self.client.server_info(timeout=5)[tables.REPLAY]
            return int(info.rate_limiter_info.sample_stats.completed)

        before = sampled()
        for _ in range(items):
            next(self.client.sample(tables.REPLAY, 1, emit_timesteps=False))
        wait_until(lambda: sampled() == before + items)

    def look(self, rows: Rows = (), after_s: float = LOOK_S) -> str | None:
        """Looks once, some seconds after the last time."""
        self.now += after_s
        info = self.client.server_info(timeout=5)
        return self.watch.look(info, rows, self.now)

    def wait(self, seconds: int, rows: Rows = ()) -> str | None:
        """Nothing happens for some seconds, but these rows come again and again."""
        said = None
        for _ in range(0, seconds, LOOK_S):
            said = self.look(rows)
        return said
