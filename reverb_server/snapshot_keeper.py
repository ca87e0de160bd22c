"""Keeps the snapshots of a replay server that the learner has let Reverb write."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Callable

import reverb

from experiment.errors import one_line
from reverb_server.address import NO_ANSWER
from reverb_server.replay_snapshots import ReplaySnapshots

# Seconds for which a server that is told to stop stays for a learner that stores what
# it has learned, and between two looks whether it has.
LAST_SNAPSHOT_S = 8.0
STAY_POLL_S = 0.1


class SnapshotKeeper:
    """Keeps them as the rows tell that come from the learner.

    Attributes:
      problem: Why the newest one could not be kept; None if it was.
      has_last: Whether the learner has said that it stores no more, told to stop.
    """

    def __init__(
        self, snapshots: ReplaySnapshots, env_steps: Callable[[], int]
    ) -> None:
        """Takes what it works with.

        Args:
          snapshots: Of the server.
          env_steps: Says how many the server counts now, for the record.
        """
        self._snapshots = snapshots
        self._env_steps = env_steps
        self.problem: str | None = None
        self.has_last = False

    def store(self, client: reverb.Client, train_step: int) -> str | None:
        """Lets Reverb write one, and keeps it; says why if it could not be written.

        Args:
          client: Of the server.
          train_step: Of the weights that it belongs to.
        """
        try:
            path = client.checkpoint()
        # IndexError is what Reverb raises on a full disk.
        except (*NO_ANSWER, IndexError) as error:
            self._snapshots.clean()
            return one_line(error)
        self.take({"train_step": train_step, "path": path})
        return None

    def take(self, written: dict[str, Any]) -> None:
        """Keeps what Reverb has written, or cleans up if it could not.

        Args:
          written: What a row says of it, see `telemetry.SNAPSHOT`.
        """
        try:
            path = written["path"]
            self.has_last = bool(written.get("is_last"))
            if path is None:
                self._snapshots.clean()
                return
            self._snapshots.keep(Path(path), written["train_step"], self._env_steps())
            self.problem = None
        except (OSError, TypeError, KeyError, ValueError, *NO_ANSWER) as error:
            self.problem = f"a snapshot of the replay table is lost: {one_line(error)}"
            logging.error("%s", self.problem)  # noqa: TRY400
