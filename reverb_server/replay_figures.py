"""What the replay table shows of a run, in transitions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from experiment.interval import Rate
from experiment.settings import Replay
from reverb_server.motion import Growth


class Counts(NamedTuple):
    """What `server_info` counts of a replay table, in items.

    Attributes:
      size: In the table now.
      max_size: At most.
      inserted: So far.
      sampled: So far.
    """

    size: int
    max_size: int
    inserted: int
    sampled: int

    @classmethod
    def of(cls, table: Any) -> Counts:
        """Of a table, as `server_info` says."""
        limiter = table.rate_limiter_info
        return cls(
            int(table.current_size),
            int(table.max_size),
            int(limiter.insert_stats.completed),
            int(limiter.sample_stats.completed),
        )


class ReplayFigures:
    """Follows the counters of the replay, on all servers together."""

    def __init__(self, settings: Replay) -> None:
        """Args: settings: Of the table."""
        self._settings = settings
        self._rates = {"inserts": Rate(), "samples": Rate()}
        self._growth: tuple[Growth, Growth] | None = None

    def row(self, counts: Sequence[Counts], env_steps: int) -> dict[str, Any]:
        """The figures since the last call.

        Args:
          counts: Of the replay table of each server.
          env_steps: Of the run.

        Returns:
          Figures of `figures.SERVER`.
        """
        items = self._settings.env_steps_per_item
        size, max_size, inserted, sampled = (sum(each) for each in zip(*counts))
        return {
            "replay_size": size * items,
            "replay_max_size": max_size * items,
            "env_steps": env_steps,
            "env_steps_per_s": self._rates["inserts"].update(env_steps),
            "samples_per_s": self._rates["samples"].update(sampled * items),
            "samples_per_insert": self._samples_per_insert(inserted, sampled),
            "samples_per_insert_wanted": self._settings.samples_per_insert,
        }

    def _samples_per_insert(self, inserted: int, sampled: int) -> float | None:
        """Of the last seconds; samples and inserts are items alike."""
        now = time.monotonic()
        if self._growth is None:
            self._growth = Growth(inserted, now), Growth(sampled, now)
        inserts, samples = self._growth
        inserts.take(inserted, now)
        samples.take(sampled, now)
        return samples.per_s / inserts.per_s if inserts.per_s else None
