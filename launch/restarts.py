"""Whether and when a process that has failed is started again.

Why none of the process managers there are: docs/design.md, "The launcher supervises".
"""

from __future__ import annotations

from experiment.errors import EXIT_CONFIGURATION, EXIT_RESTART

# Seconds before the first restart and at most; each failure in a row doubles them.
_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 30.0

# A process that got to work and has lived so long, in seconds, begins anew.
_GOOD_LIFE_S = 60.0

# Restarts of one process in an hour: beyond, it works for a while and fails always.
_PER_HOUR = 30
_HOUR_S = 3_600.0


class Restarts:
    """The restarts of one process."""

    def __init__(self, in_a_row: int) -> None:
        """Args: in_a_row: How often it may fail without having got to work."""
        self._limit = in_a_row
        self._in_a_row = 0
        self._times: list[float] = []

    def delay_s(self, exit_code: int, worked_s: float, now: float) -> float | None:
        """What to do about an end.

        Args:
          exit_code: Not 0.
          worked_s: Seconds that it lived, if it got to what it is there for; else 0.
          now: Seconds, of a clock that does not go back.

        Returns:
          Seconds until it is to be started again; None if never.
        """
        if exit_code == EXIT_CONFIGURATION:
            return None
        if worked_s >= _GOOD_LIFE_S:
            self._in_a_row = 0
            if exit_code == EXIT_RESTART:
                return 0.0
        self._times = [time for time in self._times if now - time < _HOUR_S]
        if self._in_a_row >= self._limit or len(self._times) >= _PER_HOUR:
            return None
        self._in_a_row += 1
        self._times.append(now)
        if exit_code == EXIT_RESTART:
            return 0.0
        return float(min(_FIRST_DELAY_S * 2 ** (self._in_a_row - 1), _LONGEST_DELAY_S))
