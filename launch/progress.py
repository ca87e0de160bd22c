"""What is known of a run: the newest figures that its processes sent."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from reverb_server import figures, troubles
from reverb_server.motion import Growth

# Counts whose growth is watched.
_GROWING = ("train_step", "waited_s")


@dataclasses.dataclass
class _Heard:
    """What was heard of one process through all its lives.

    Attributes:
      row: Its newest figures.
      at: When each life was heard of last, by its process id.
      worked: Process ids of the lives that have got to work.
      growth: Of the newest life's counts.
    """

    row: dict[str, Any] = dataclasses.field(default_factory=dict)
    at: dict[int, float] = dataclasses.field(default_factory=dict)
    worked: set[int] = dataclasses.field(default_factory=set)
    growth: dict[str, Growth] = dataclasses.field(default_factory=dict)


class Progress:
    """Follows the metrics file of a run.

    Attributes:
      returns: Those of the eval job, oldest first, as far as they are known here.
    """

    def __init__(self, metrics: Path) -> None:
        """Args: metrics: The file; need not exist yet. What it holds now is old."""
        self._metrics = metrics
        self._position = metrics.stat().st_size if metrics.exists() else 0
        self._heard: dict[tuple[str, int], _Heard] = {}
        self._judged: Any = None
        self._touched = (0, 0.0)
        self._news: list[str] = []
        self.returns: list[float] = []

    def read(self) -> None:
        """Reads what has come since the last time."""
        if not self._metrics.exists():
            return
        with self._metrics.open() as file:
            file.seek(self._position)
            while (line := file.readline()).endswith("\n"):
                self._position = file.tell()
                with contextlib.suppress(ValueError):  # Cut off by a kill.
                    self._take(json.loads(line))

    def _take(self, row: dict[str, Any]) -> None:
        heard = self._heard.setdefault((row["role"], row.get("task", 0)), _Heard())
        pid, now = row.get("pid", 0), time.monotonic()
        if pid not in heard.at:
            heard.growth.clear()
        heard.at[pid] = now
        before = heard.row
        # A row about a snapshot has no figures.
        heard.row = {**before, **row}
        self._news += troubles.begun(before, heard.row)
        if _is_at_work(row):
            heard.worked.add(pid)
        for name in _GROWING:
            count = row.get(name)
            if count is not None and name in heard.growth:
                heard.growth[name].take(count, now)
            elif count is not None:
                heard.growth[name] = Growth(count, now)
        if row["role"] == figures.EVAL_JOB and row.get("average_return") is not None:
            self._take_return(row)

    def _take_return(self, row: dict[str, Any]) -> None:
        """The same evaluation comes in many rows, until there is another one."""
        judged = row.get("train_step"), row["average_return"]
        if judged != self._judged:
            self._judged = judged
            self.returns.append(row["average_return"])

    def take_news(self) -> list[str]:
        """What has gone wrong since the last call, each in a line."""
        news, self._news = self._news, []
        return news

    @property
    def troubles(self) -> list[str]:
        """What is wrong now, each in a line; what the server says comes last."""
        return [
            text
            for _, heard in sorted(self._heard.items(), key=lambda item: item[0])
            for _, text in troubles.of(heard.row)
        ]

    def heard_at(self, role: str, task: int, pid: int | None = None) -> float | None:
        """When a process was heard of last, on the monotonic clock.

        Args:
          role: Of the process.
          task: Number within the role.
          pid: Only of this process, not of an earlier one.

        Returns:
          Seconds; None if never.
        """
        heard = self._heard.get((role, task), _Heard())
        return (
            max(heard.at.values(), default=None) if pid is None else heard.at.get(pid)
        )

    def touched_at(self) -> float:
        """When the server last showed that it lives, though it may not write.

        On a full disk it sets the time of the file instead.
        """
        mtime = self._metrics.stat().st_mtime_ns if self._metrics.exists() else 0
        if mtime != self._touched[0]:
            self._touched = (mtime, time.monotonic())
        return self._touched[1]

    def has_worked(self, role: str, task: int, pid: int) -> bool:
        """Whether a process had got to what it is there for."""
        heard = self._heard.get((role, task))
        return heard is not None and pid in heard.worked

    def figure(self, role: str, name: str, task: int = 0) -> Any:
        """The newest value of a figure; None if there is none."""
        heard = self._heard.get((role, task))
        return None if heard is None else heard.row.get(name)

    def growth_per_s(self, role: str, name: str, task: int = 0) -> float | None:
        """How fast a count has grown lately in the newest life of its process.

        Args:
          role: Of the process.
          name: `train_step`, or `waited_s`: the share of time spent waiting.
          task: Number within the role.

        Returns:
          Per second; None if it is not known yet.
        """
        heard = self._heard.get((role, task))
        growth = heard.growth.get(name) if heard else None
        return growth.per_s if growth else None

    @property
    def status(self) -> str | None:
        """Why the run ended; None if it has not."""
        value = self.figure(figures.RUN, "status")
        return None if value is None else str(value)

    @property
    def stall(self) -> str | None:
        """Who waits for whom, as the server explains it; None if the run moves."""
        value = self.figure(figures.SERVER, "stall")
        return None if value is None else str(value)


# The figure of each role that it has once it is at work.
_AT_WORK = {
    figures.SERVER: "env_steps",
    figures.LEARNER: "updates_per_s",
    figures.EVAL_JOB: "average_return",
    figures.ACTOR: "env_steps",
}


def _is_at_work(row: dict[str, Any]) -> bool:
    return row.get(_AT_WORK.get(row["role"], "")) is not None
