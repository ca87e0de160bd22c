"""What is known of a run: the newest figures of its processes, and its returns."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eval_job import returns_file
from experiment import run_dir
from reverb_server import figures, troubles
from reverb_server.motion import Growth

# Seconds over which a rate is taken at least: rows may be read late, two at once.
_RATE_S = 1.0

# Seconds for which a server only shows that it lives, until it is said that it cannot
# write its rows.
_UNWRITTEN_S = 10.0

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


class Tail:
    """The lines that are appended to a file; it need not exist yet."""

    def __init__(self, path: Path) -> None:
        """Begins at its beginning."""
        self._path = path
        self._position = 0

    def skip(self) -> None:
        """Leaves out what is there now."""
        self._position = self._size()

    def read(self) -> Iterator[str]:
        """Whole lines that have come since the last time; costs little if none has."""
        if self._size() <= self._position:
            return
        with self._path.open("rb") as file:
            file.seek(self._position)
            while (line := file.readline()).endswith(b"\n"):
                self._position += len(line)
                yield line.decode(errors="replace")

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0


class Progress:
    """Follows the files that a run appends to.

    Attributes:
      returns: Average returns of all evaluations of the run, oldest first.
      random_return: That of the random policy; None before it was judged.
    """

    def __init__(self, root_dir: Path) -> None:
        """Args: root_dir: Folder of the run. The figures that it holds now are old."""
        self._metrics = root_dir / run_dir.METRICS
        self._rows = Tail(self._metrics)
        self._rows.skip()
        self._evaluations = Tail(root_dir / run_dir.RETURNS)
        self._random = Tail(root_dir / run_dir.RANDOM_RETURNS)
        self._heard: dict[tuple[str, int], _Heard] = {}
        self._touched = (0, 0.0)
        # Since when the file is touched and gets no row; None if it gets some.
        self._untold_since: float | None = None
        self._is_unwritten = False
        self._news: list[str] = []
        self.returns: list[float] = []
        self.random_return: float | None = None

    def read(self) -> None:
        """Reads what has come since the last time."""
        before = self._touched[0]
        touched_at = self.touched_at()
        if self._touched[0] != before and self._untold_since is None:
            self._untold_since = touched_at
        for line in self._rows.read():
            self._untold_since = None
            with contextlib.suppress(ValueError):  # Cut off by a kill.
                self._take(json.loads(line))
        was_unwritten = self._is_unwritten
        since = touched_at if self._untold_since is None else self._untold_since
        self._is_unwritten = touched_at - since > _UNWRITTEN_S
        if self._is_unwritten and not was_unwritten:
            self._news.append(self._unwritten)
        for row in returns_file.parse(self._evaluations.read()):
            self.returns.append(row.average_return)
        for row in returns_file.parse(self._random.read()):
            self.random_return = row.average_return

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

    def take_news(self) -> list[str]:
        """What has gone wrong since the last call, each in a line."""
        news, self._news = self._news, []
        return news

    @property
    def troubles(self) -> list[str]:
        """What is wrong now, each in a line; what the server says comes last."""
        own = [self._unwritten] if self._is_unwritten else []
        return own + [
            text
            for _, heard in sorted(self._heard.items(), key=lambda item: item[0])
            for _, text in troubles.of(heard.row)
        ]

    @property
    def _unwritten(self) -> str:
        return (
            f"problem: {self._metrics} cannot be written, its disk may be full: the "
            "run goes on, but figures and snapshots are lost until there is space"
        )

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
        return growth.per_s if growth and growth.seen_s >= _RATE_S else None

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
    figures.LEARNER: "waited_s",
    figures.EVAL_JOB: "average_return",
    figures.ACTOR: "env_steps",
    figures.SHARD: "replay_size",
}


def _is_at_work(row: dict[str, Any]) -> bool:
    return row.get(_AT_WORK.get(row["role"], "")) is not None
