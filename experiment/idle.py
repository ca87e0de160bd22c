"""Waiting that comes to an end: a process whose work does not come gives up."""

from __future__ import annotations

import time
from typing import Callable

from experiment.errors import IDLE_TIMEOUT_S, IdleError

# Seconds between two questions that count at most: between them it may have worked.
_LONGEST_GAP_S = 60.0


class IdleLimit:
    """Asks whether to go on, and gives up when nothing has changed for too long."""

    def __init__(
        self,
        is_running: Callable[[], bool],
        counts: Callable[[], object],
        waited_for: str,
    ) -> None:
        """Begins to wait.

        Args:
          is_running: Whether to go on, for other reasons.
          counts: What changes if anything comes.
          waited_for: In words, and where to look.
        """
        self._is_running = is_running
        self._counts = counts
        self._waited_for = waited_for
        self._seen = counts()
        self._asked_at = time.monotonic()
        self._idle_s = 0.0

    def __call__(self) -> bool:
        """Whether to go on.

        Raises:
          IdleError: Nothing has changed for half an hour.
        """
        now, counts = time.monotonic(), self._counts()
        self._idle_s += min(now - self._asked_at, _LONGEST_GAP_S)
        if counts != self._seen:
            self._idle_s = 0.0
        self._asked_at, self._seen = now, counts
        if self._idle_s > IDLE_TIMEOUT_S:
            raise IdleError(self._waited_for)
        return self._is_running()
