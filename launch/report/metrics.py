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

from reverb_server import figures, troubles
from reverb_server.figures import Kind

# Of a larger file, so many pieces of so many bytes are read, evenly spread, and the
# end: a run of days takes no longer than one of hours.
_PIECES = 512
_PIECE_BYTES = 2**15

# The end is read whole: hundreds of processes still send rows after that of the end.
_TAIL_BYTES = 2**20

# Unix times, and values at them.
Points = tuple[np.ndarray, np.ndarray]

# Begins and ends, in Unix time.
Spans = Sequence[tuple[float, float]]

_ALWAYS = ((-math.inf, math.inf),)


class Life:
    """What one process has sent between its start and its end."""

    def __init__(self, role: str, task: int, host: str) -> None:
        """Args: role, task, host: Of the process."""
        self.role = role
        self.task = task
        self.host = host
        self._has_left = False
        self._counts: dict[str, float] = {}
        self._figures = figures.numbers(role)
        names = ["time", *(each.name for each in self._figures)]
        self._columns = {name: array.array("d") for name in names}

    def add(self, row: dict[str, Any]) -> None:
        """Takes one more row; what is no number becomes NaN."""
        self._columns["time"].append(row["time"])
        for figure in self._figures:
            value = figures.number(row, figure)
            self._columns[figure.name].append(math.nan if value is None else value)
        self._counts |= self._counts_of(row)
        self._has_left = bool(row.get("has_left"))

    def is_over(self, row: dict[str, Any]) -> bool:
        """Whether a row is of a later life, though of the same process id.

        In containers each life has the same, and often the same name of the host.
        """
        counts = self._counts_of(row)
        fell = any(count < self._counts.get(name, 0) for name, count in counts.items())
        return self._has_left or fell

    def _counts_of(self, row: dict[str, Any]) -> dict[str, float]:
        """What only grows in a life."""
        values = {
            each.name: figures.number(row, each)
            for each in self._figures
            if each.kind is Kind.COUNT
        }
        return {name: value for name, value in values.items() if value is not None}

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

    def waits(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times between two rows: when each ended, and how much of it was waited.

        Returns:
          Unix times at the ends, seconds that passed, seconds waited of these.
        """
        times, seconds = self.points("waited_s")
        passed, waited = np.diff(times), np.diff(seconds)
        moved = passed > 0
        return times[1:][moved], passed[moved], np.minimum(waited, passed)[moved]

    def shares_waited(self) -> Points:
        """Which share of its time it has waited since the point before."""
        ends, passed, waited = self.waits()
        return ends, waited / passed


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
      is_part: Whether rows were left out, since there are too many.
    """

    lives: list[Life] = dataclasses.field(default_factory=list)
    notices: list[Notice] = dataclasses.field(default_factory=list)
    ended: dict[str, Any] | None = None
    is_part: bool = False

    def of(self, role: str) -> list[Life]:
        """The lives of all processes of a role."""
        return [life for life in self.lives if life.role == role]

    def training(self) -> Spans:
        """From the first update of each learner to what it said last."""
        spans = []
        for learner in self.of(figures.LEARNER):
            times, per_s = learner.points("updates_per_s")
            at_work = times[per_s > 0]
            if len(at_work):
                spans.append((float(at_work[0]), float(times[-1])))
        return spans


def read(path: Path) -> Metrics:
    """Reads the file; lines that are cut off, or no rows, are left out."""
    metrics = Metrics(is_part=path.exists() and _is_large(path))
    lives: dict[tuple[str, int, str, str], Life] = {}
    newest: dict[tuple[str, int], dict[str, Any]] = {}
    for row in _rows(path):
        role, task, host = row["role"], row.get("task", 0), str(row.get("host", ""))
        if role == figures.RUN:
            metrics.ended = row
        if role not in figures.PROCESSES:
            continue
        key = (role, task, host, str(row.get("pid")))
        if key not in lives or lives[key].is_over(row):
            lives[key] = Life(role, task, host)
            metrics.lives.append(lives[key])
        lives[key].add(row)
        before = newest.get((role, task), {})
        newest[role, task] = after = {**before, **row}
        begun = troubles.begun(before, after)
        metrics.notices += [Notice(row["time"], text) for text in begun]
    return metrics


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Whole rows, in order."""
    for line in _lines(path):
        with contextlib.suppress(ValueError):  # Cut off, at either end.
            row = json.loads(line)
            if (
                isinstance(row, dict)
                and isinstance(row.get("role"), str)
                and figures.number(row, figures.TIME) is not None
                and isinstance(row.get("task", 0), int)
            ):
                yield row


def _is_large(path: Path) -> bool:
    return path.stat().st_size > _PIECES * _PIECE_BYTES + _TAIL_BYTES


def _lines(path: Path) -> Iterator[bytes]:
    """All lines of a small file; those of its end and of pieces of a large one."""
    if not path.exists():
        return
    with path.open("rb") as file:
        if _is_large(path):
            end = path.stat().st_size - _TAIL_BYTES
            for piece in range(_PIECES):
                file.seek(end * piece // _PIECES)
                yield from file.read(_PIECE_BYTES).split(b"\n")
            file.seek(end)
        yield from file


def share_waited(lives: Sequence[Life], within: Spans = _ALWAYS) -> float | None:
    """Which share of their time processes waited; None if they have not said.

    Args:
      lives: Of the processes.
      within: Only what lies in these times counts.
    """
    waited_s = lived_s = 0.0
    for life in lives:
        ends, passed, waited = life.waits()
        for begin, end in within:
            inside = (ends - passed >= begin) & (ends <= end)
            waited_s += float(waited[inside].sum())
            lived_s += float(passed[inside].sum())
    return waited_s / lived_s if lived_s else None
