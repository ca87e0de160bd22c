"""What the replay table shows of a run, in transitions."""

from __future__ import annotations

import time
from typing import Any

from experiment.interval import Rate
from experiment.settings import Replay
from reverb_server.motion import Growth


class ReplayFigures:
    """Follows the counters of the replay table."""

    def __init__(self, settings: Replay) -> None:
        """Args: settings: Of the table."""
        self._settings = settings
        self._rates = {"inserts": Rate(), "samples": Rate()}
        self._growth: tuple[Growth, Growth] | None = None

    def row(self, table: Any, earlier_env_steps: int) -> dict[str, Any]:
        """The figures since the last call.

        Args:
          table: What `server_info` says of the replay table.
          earlier_env_steps: Those of the run that the table's counter does not know.

        Returns:
          Figures of `figures.SERVER`.
        """
        items = self._settings.env_steps_per_item
        limiter = table.rate_limiter_info
        inserted = limiter.insert_stats.completed
        sampled = limiter.sample_stats.completed
        env_steps = earlier_env_steps + inserted * items
        return {
            "replay_size": table.current_size * items,
            "replay_max_size": table.max_size * items,
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
