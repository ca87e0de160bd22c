"""The progress of a run in one line, from the figures that its processes sent."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Progress:
    """Follows the metrics file of a run."""

    def __init__(self, metrics: Path) -> None:
        """Args: metrics: The file; need not exist yet. What it holds now is old."""
        self._metrics = metrics
        self._position = metrics.stat().st_size if metrics.exists() else 0
        self._newest: dict[tuple[str, int], dict[str, Any]] = {}
        self._best: float | None = None
        self._heard: dict[tuple[str, int, int], float] = {}
        self._worked: set[tuple[str, int, int]] = set()
        self._touched = (0, 0.0)
        self._stall_is_new = False

    def read(self) -> None:
        """Reads what has come since the last time."""
        self._stall_is_new = False
        if not self._metrics.exists():
            return
        was_stalled = self._stall is not None
        with self._metrics.open() as file:
            file.seek(self._position)
            while (line := file.readline()).endswith("\n"):
                self._position = file.tell()
                with contextlib.suppress(ValueError):  # Cut off by a kill.
                    self._take(json.loads(line))
        self._stall_is_new = self._stall is not None and not was_stalled

    def _take(self, row: dict[str, Any]) -> None:
        key = (row["role"], row.get("task", 0))
        # A row about a snapshot has no figures.
        self._newest[key] = {**self._newest.get(key, {}), **row}
        self._heard[(*key, row.get("pid", 0))] = time.monotonic()
        self._worked |= {(*key, row.get("pid", 0))} if _is_at_work(row) else set()
        average = row.get("average_return")
        if row["role"] == "eval_job" and average is not None:
            self._best = average if self._best is None else max(self._best, average)

    def heard_at(self, role: str, task: int, pid: int | None = None) -> float | None:
        """When a process was heard of last, on the monotonic clock.

        Args:
          role: Of the process.
          task: Number within the role.
          pid: Only of this process, not of an earlier one.

        Returns:
          Seconds; None if never.
        """
        return max(
            (
                at
                for (name, number, heard_pid), at in self._heard.items()
                if (name, number) == (role, task) and pid in (None, heard_pid)
            ),
            default=None,
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
        return (role, task, pid) in self._worked

    def figure(self, role: str, name: str) -> Any:
        """The newest value of a role's figure; None if there is none."""
        return self._newest.get((role, 0), {}).get(name)

    @property
    def status(self) -> str | None:
        """Why the run ended; None if it has not."""
        value = self.figure("run", "status")
        return None if value is None else str(value)

    @property
    def _stall(self) -> str | None:
        """Who waits for whom, as the server explains it; None if the run moves."""
        value = self.figure("reverb_server", "stall")
        return None if value is None else str(value)

    @property
    def stall_is_new(self) -> bool:
        """Whether the last `read` brought the news that something stands still."""
        return self._stall_is_new

    def line(self, seconds: float) -> str:
        """What to show: a line, and one more for each thing that is wrong.

        Args:
          seconds: Since the start.
        """
        lines = [self._figures(seconds), *self._problems()]
        if self._stall is not None:
            lines.append(f"waiting: {self._stall}")
        return "\n".join(lines)

    def _problems(self) -> Iterator[str]:
        """What processes say that they could not do."""
        for (role, task), row in sorted(self._newest.items()):
            name = f"{role}-{task}" if role == "actor" else role
            if row.get("problem"):
                yield f"problem: {name}: {row['problem']}"
            if row.get("environment_stalled_s"):
                yield (
                    f"problem: {name}: an environment has not come back for "
                    f"{row['environment_stalled_s']} s, see its log"
                )

    def _figures(self, seconds: float) -> str:
        server, learner = "reverb_server", "learner"
        minutes, rest = divmod(int(seconds), 60)
        parts = [f"{minutes:02d}:{rest:02d}"]
        train_step = self.figure(learner, "train_step")
        if train_step is None and not self.figure(server, "env_steps"):
            return f"{parts[0]}  starting"
        parts.append(
            f"train step {train_step or 0:,} "
            f"({self.figure(learner, 'updates_per_s') or 0:,.0f}/s)"
        )
        parts.append(
            f"env steps {self.figure(server, 'env_steps') or 0:,} "
            f"({self.figure(server, 'env_steps_per_s') or 0:,.0f}/s)"
        )
        parts.append(
            f"replay {self.figure(server, 'replay_size') or 0:,}"
            f"/{self.figure(server, 'replay_max_size') or 0:,}"
        )
        lag = self.figure(learner, "policy_lag")
        parts.append("policy lag -" if lag is None else f"policy lag {lag:,.0f}")
        average = self.figure("eval_job", "average_return")
        if average is not None:
            target = self.figure("eval_job", "target_return")
            wanted = "" if target is None else f", target {target:g}"
            parts.append(f"return {average:.1f} (best {self._best:.1f}{wanted})")
        return "  ".join(parts)


# The figure of each role that it has once it is at work.
_AT_WORK = {
    "reverb_server": "env_steps",
    "learner": "updates_per_s",
    "eval_job": "average_return",
    "actor": "env_steps",
}


def _is_at_work(row: dict[str, Any]) -> bool:
    return row.get(_AT_WORK.get(row["role"], "")) is not None
