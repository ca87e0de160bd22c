"""The clock of a run: it stands still between an end and a resume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Clock:
    """Turns Unix times into seconds since the start of the run."""

    def __init__(self, started_at: float, pauses: Sequence[Sequence[float]]) -> None:
        """Args: started_at, pauses: Of the manifest; the pauses are in the former."""
        self._started_at = started_at
        self._pauses = pauses

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
