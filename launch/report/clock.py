"""The clock of a run: it stands still between an end and a resume."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from launch.report.metrics import Life

# Between the death of a server and the launcher's note of it, in seconds; its last row
# may be a few seconds older.
_NOTED_S = 10.0


class Clock:
    """Turns Unix times into seconds since the start of the run."""

    def __init__(
        self,
        started_at: float,
        servers: Sequence[Life],
        server_faults: Collection[float],
    ) -> None:
        """Finds the times in which the run lay still.

        A server that took the place of another without a fault was started by a resume.

        Args:
          started_at: Of the manifest: the pauses are in it already.
          servers: Lives of the server.
          server_faults: Unix times at which a server failed.
        """
        lives = sorted((life.times for life in servers), key=lambda times: times[0])
        self._started_at = started_at
        self._pauses = [
            (before[-1], after[0])
            for before, after in zip(lives, lives[1:])
            if not any(
                before[-1] <= at + _NOTED_S and at <= after[0] for at in server_faults
            )
        ]

    def seconds(self, times: np.ndarray) -> np.ndarray:
        """Seconds since the start, of Unix times."""
        seconds = np.asarray(times, float) - self._started_at
        for begin, end in self._pauses:
            # A moment within a pause is where the clock stood.
            seconds += np.clip(end - np.asarray(times, float), 0.0, end - begin)
        return seconds

    @property
    def resumed_at(self) -> list[float]:
        """Unix times at which the run went on."""
        return [end for _, end in self._pauses]
