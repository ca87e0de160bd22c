"""The memory of an actor: when it has grown so far that a fresh process is better.

TensorFlow 2.15 on Python 3.11 leaks some bytes with every eager tensor
(tensorflow/tensorflow#62551): an actor of 1,000 policy calls a second some 20 GB a day.
Environments leak too.
"""

from __future__ import annotations

import logging

import psutil

from experiment.interval import Interval

# Memory at which an actor recycles itself: this much for the leaks, in MB, beyond twice
# what it needs.
_ALLOWANCE_MB = 1_024

_LOOK_S = 1.0


class MemoryLimit:
    """Compares the memory of this process with what it was at the beginning."""

    def __init__(self) -> None:
        """Takes the memory as it is now for what the actor needs."""
        self._limit_mb = 2 * _resident_mb() + _ALLOWANCE_MB
        self._due = Interval(_LOOK_S)
        self._is_reached = False

    def is_reached(self) -> bool:
        """Whether the process should be replaced by a fresh one; looks every second."""
        if not self._is_reached and self._due.due() and _resident_mb() > self._limit_mb:
            self._is_reached = True
            logging.warning(
                "this actor has grown beyond %d MB: it ends, to be started afresh",
                self._limit_mb,
            )
        return self._is_reached


def _resident_mb() -> float:
    return float(psutil.Process().memory_info().rss / 2**20)
