"""What the server of a run knows of its learner."""

from __future__ import annotations

import time
from typing import Any

from experiment.manifest import Manifest
from reverb_server.replay_snapshots import Snapshot

# Seconds for which a learner that was heard of is taken to be still there.
_HEARD_S = 5.0


def first_step(
    known: dict[str, Any], run: Manifest, restored: Snapshot | None, is_restart: bool
) -> int:
    """Where the learner stands, or will begin, until it is heard of.

    Args:
      known: The last row of the server before this one.
      run: The run.
      restored: What the replay table was restored from.
      is_restart: Whether the server before has died just now, and the learner has not.
    """
    if restored and not is_restart:
        return restored.train_step
    goes_on = is_restart or run.resumed
    return int(known.get("train_step", 0)) if goes_on else 0


class KnownLearner:
    """Where the learner stands, and whether it is there.

    Attributes:
      train_step: As it last said.
    """

    def __init__(self, train_step: int) -> None:
        """Args: train_step: Where it stands, or will begin, until it says so."""
        self.train_step = train_step
        self._is_here_until = 0.0

    def take(self, row: dict[str, Any]) -> None:
        """Takes a row that came just now; the first ones do not know the train step."""
        if isinstance(row.get("train_step"), int):
            self.train_step = row["train_step"]
        seconds = 0.0 if row.get("has_left") else _HEARD_S
        self._is_here_until = time.monotonic() + seconds

    @property
    def is_here(self) -> bool:
        """Whether it may be about to store what it has learned."""
        return time.monotonic() < self._is_here_until
