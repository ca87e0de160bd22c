"""The figures of a run's processes, read from `metrics.jsonl` in bounded time."""

from __future__ import annotations

import array
import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reverb_server import figures

# Of a larger file, so many pieces of so many bytes are read, evenly spread: a run of
# days takes no longer than one of hours.
_PIECES = 512
_PIECE_BYTES = 2**15

# Unix times, and values at them.
Points = tuple[np.ndarray, np.ndarray]

# What is said in words: the key of a row, and how a reader is told.
_WORDS = {"stall": "waiting", "problem": "problem"}


class Life:
    """What one process has sent between its start and its end."""

    def __init__(self, role: str, task: int, host: str, pid: int) -> None:
        """Args: role, task, host, pid: Of the process."""
        self.role = role
        self.task = task
        self.host = host
        self.pid = pid
        self._names = [each.name for each in figures.numbers(role)]
        self._columns = {name: array.array("d") for name in ["time", *self._names]}

    def add(self, row: dict[str, Any]) -> None:
        """Takes one more row; what is no number becomes NaN."""
        self._columns["time"].append(row["time"])
        for name in self._names:
            value: Any = row.get(name)
            is_number = isinstance(value, (int, float))
            self._columns[name].append(float(value) if is_number else math.nan)

    @property
    def name(self) -> str:
        """As the launcher names it."""
        return figures.process_name(self.role, self.task)

    @property
    def times(self) -> np.ndarray:
        """Unix times of the rows."""
        return np.array(self._columns["time"])

    def points(self, figure: str) -> Points:
        """When the process sent a figure, and its values."""
        values = np.array(self._columns[figure])
        known = np.isfinite(values)
        return self.times[known], values[known]

    def shares_waited(self) -> Points:
        """Which share of its time it has waited since the point before.

        A wait is counted when it is over: what is longer than the time since the point
        before was waited before that.
        """
        times, seconds = self.points("waited_s")
        passed, waited = np.diff(times), np.diff(seconds)
        for number in range(len(passed) - 1, 0, -1):
            earlier = max(0.0, waited[number] - passed[number])
            waited[number] -= earlier
            waited[number - 1] += earlier
        moved = passed > 0
        shares = waited[moved] / passed[moved]
        return times[1:][moved], np.clip(shares, 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Notice:
    """Something that a process said in words.

    Attributes:
      time: Unix time.
      text: What.
    """

    time: float
    text: str


@dataclasses.dataclass
class Metrics:
    """All that was sent, as far as it was read.

    Attributes:
      lives: In the order in which they were first heard of.
      notices: When something began to be wrong.
      ended: The row of the run's end, if it has ended.
    """

    lives: list[Life] = dataclasses.field(default_factory=list)
    notices: list[Notice] = dataclasses.field(default_factory=list)
    ended: dict[str, Any] | None = None

    def of(self, role: str) -> list[Life]:
        """The lives of all processes of a role."""
        return [life for life in self.lives if life.role == role]


def read(path: Path) -> Metrics:
    """Reads the file; lines that are cut off, or no rows, are left out."""
    metrics = Metrics()
    lives: dict[tuple[str, int, str, int], Life] = {}
    said: dict[tuple[str, int, str], Any] = {}
    for row in _rows(path):
        role = row["role"]
        if role == figures.RUN:
            metrics.ended = row
        if role not in figures.PROCESSES:
            continue
        task = row.get("task", 0)
        key = (role, task, str(row.get("host", "")), row.get("pid", 0))
        if key not in lives:
            lives[key] = Life(*key)
            metrics.lives.append(lives[key])
        lives[key].add(row)
        for name in _WORDS.keys() & row.keys():
            if row[name] and not said.get((role, task, name)):
                text = f"{_WORDS[name]}: {row[name]}"
                metrics.notices.append(Notice(row["time"], text))
            said[role, task, name] = row[name]
    return metrics


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Whole rows, in order."""
    for line in _lines(path):
        with contextlib.suppress(ValueError):  # Cut off, at either end.
            row = json.loads(line)
            if (
                isinstance(row, dict)
                and isinstance(row.get("role"), str)
                and math.isfinite(row.get("time") or math.nan)
                and isinstance(row.get("task", 0), int)
            ):
                yield row


def _lines(path: Path) -> Iterator[bytes]:
    """All lines of a small file, those of evenly spread pieces of a large one."""
    if not path.exists():
        return
    with path.open("rb") as file:
        size = path.stat().st_size
        if size <= _PIECES * _PIECE_BYTES:
            yield from file
            return
        for piece in range(_PIECES):
            file.seek((size - _PIECE_BYTES) * piece // (_PIECES - 1))
            yield from file.read(_PIECE_BYTES).split(b"\n")


def share_waited(lives: Sequence[Life]) -> float | None:
    """Which share of their time processes waited; None if they have not said."""
    waited = lived = 0.0
    for life in lives:
        times, seconds = life.points("waited_s")
        if len(times) > 1:
            waited += float(seconds[-1] - seconds[0])
            lived += float(times[-1] - times[0])
    return min(1.0, waited / lived) if lived else None
