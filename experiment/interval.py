"""Doing something every so many seconds from within a loop."""

from __future__ import annotations

import time


class Interval:
    """Says when a time interval has passed; the first one begins now."""

    def __init__(self, seconds: float) -> None:
        """Args: seconds: Length of the interval."""
        self._seconds = seconds
        self._next = time.monotonic() + seconds

    def due(self) -> bool:
        """Whether the interval has passed; if so, the next one begins now."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


class Rate:
    """Events per second of a growing count, between two looks at it."""

    def __init__(self) -> None:
        """Starts to count now, from 0."""
        self._count = 0
        self._time = time.monotonic()

    def update(self, count: int) -> float:
        """Returns the rate since the last call.

        Args:
          count: All events so far.
        """
        now = time.monotonic()
        rate = (count - self._count) / max(now - self._time, 1e-9)
        self._count, self._time = count, now
        return rate
