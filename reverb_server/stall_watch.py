"""Watches a run for standstill: looks, remembers, explains, logs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from reverb_server import figures, tables
from reverb_server.motion import STILL_S, Growth, Peers
from reverb_server.rate_limiter import Waits, who_waits
from reverb_server.replay_figures import Counts
from reverb_server.shard import Shard
from reverb_server.stall import Scene, Stall

# Seconds from the start, or from the last look if the server itself stood still, until
# anything is said: processes import for seconds, and have to be heard of first.
_START_S = 30.0

# Seconds between two warnings of the same cause.
_REPEAT_S = 30.0


class StallWatch:
    """Remembers what moved, explains what does not, and logs it.

    Attributes:
      peers: All processes that were heard of.
    """

    def __init__(self, address: str, env_steps_per_item: int) -> None:
        """Has seen nothing yet.

        Args:
          address: host:port that a process on this machine is started with.
          env_steps_per_item: Of the replay table.
        """
        self._address = address
        self._per_item = env_steps_per_item
        self.peers = Peers()
        self._looked_at = self._held_since = float("-inf")
        self._waits: Waits | None = None
        self._cause: str | None = None
        self._began = self._warned_at = 0.0

    def look(
        self,
        info: dict[str, Any],
        rows: Sequence[dict[str, Any]],
        now: float,
        shards: Sequence[Shard] = (),
    ) -> str | None:
        """Looks once.

        Args:
          info: What `server_info` said of the tables.
          rows: Telemetry that came since the last look, oldest first.
          now: Seconds, of a clock that only goes forward.
          shards: The further replay servers.

        Returns:
          One sentence if something stands still or is missed, else None.
        """
        counts = [Counts.of(info[tables.REPLAY]), *(each.counts for each in shards)]
        inserts = sum(each.inserted for each in counts)
        samples = sum(each.sampled for each in counts)
        self.peers.take(rows, now)
        if now - self._looked_at > STILL_S:
            self._started_at = now
            self._inserts, self._samples = Growth(inserts, now), Growth(samples, now)
        self._looked_at = now
        where, table = _decisive(info[tables.REPLAY], shards)
        waits = who_waits(table)
        if waits is not self._waits:
            self._waits, self._held_since = waits, now
        self._inserts.take(inserts, now)
        self._samples.take(samples, now)
        stall = None
        if now - self._started_at >= _START_S and not info[tables.END].current_size:
            has_weights = bool(info[tables.VARIABLES].current_size)
            scene = self._scene(table, where, has_weights, waits, now)
            stall = scene.stall() or scene.missed()
        self._log(stall, now)
        return stall.sentence if stall else None

    def _scene(
        self, table: Any, where: str, has_weights: bool, waits: Waits, now: float
    ) -> Scene:
        return Scene(
            table=table,
            where=where,
            has_weights=has_weights,
            inserts=self._inserts,
            samples=self._samples,
            waits=waits,
            held_s=now - self._held_since,
            actors=self.peers.all(figures.ACTOR, now),
            learners=self.peers.all(figures.LEARNER, now),
            others=[
                *self.peers.all(figures.EVAL_JOB, now),
                *self.peers.all(figures.SHARD, now),
            ],
            address=self._address,
            per_item=self._per_item,
        )

    def _log(self, stall: Stall | None, now: float) -> None:
        """Warns of a new cause, and of an old one now and then; says when it ends."""
        if stall is None:
            if self._cause is not None:
                logging.info("nobody waits any more, after %.0f s", now - self._began)
            self._cause = None
            return
        if self._cause is None:
            self._began = now - stall.seconds
        if stall.cause != self._cause or now - self._warned_at >= _REPEAT_S:
            logging.warning("waiting: %s", stall.sentence)
            self._warned_at = now
        self._cause = stall.cause


def _decisive(first: Any, shards: Sequence[Shard]) -> tuple[str, Any]:
    """Where the replay table is that decides, in words, and that table.

    An actor waits for all of its servers, the learner for any: so if one holds inserts,
    it may hold up all.
    """
    for shard in shards:
        if (
            shard.table
            and not shard.is_lost
            and who_waits(shard.table) is Waits.INSERTS
        ):
            return f" of {shard}", shard.table
    return "", first
