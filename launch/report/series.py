"""Lines to draw: few points, however long the run; open where nothing was sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from launch.report.clock import Clock
from launch.report.metrics import Points

# Of one line, at most.
_POINTS = 1_000

# Rows come every 2 seconds: in twice the time each process has sent one.
_ROUND_S = 4.0

# A line is open where nothing came for so many seconds, and so many times the usual.
_SILENCE_S = 15.0
_SILENCE = 5.0


@dataclasses.dataclass(frozen=True)
class Line:
    """Points in order of time; NaN opens the line.

    Attributes:
      seconds: On the run's clock.
      values: There.
    """

    seconds: np.ndarray
    values: np.ndarray

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not len(self.seconds)


@dataclasses.dataclass(frozen=True)
class Spread:
    """What several processes have at the same time."""

    lowest: Line
    mean: Line
    highest: Line


def of_one(points: Sequence[Points], clock: Clock) -> Line:
    """The line of a role that has one process at a time.

    Args:
      points: Of each life.
      clock: Of the run.

    Returns:
      The points, or if they are too many, means over short times.
    """
    seconds, values = _joined(points, clock)
    if len(seconds) > _POINTS:
        bins = _bins(seconds, width_s=0.0)
        seconds, values = _means(bins, seconds), _means(bins, values)
    return _open_where_silent(seconds, values)


def of_all(points: Sequence[Points], clock: Clock) -> Spread:
    """The lines of a role that has many processes, over times in which each is heard.

    Args:
      points: Of each life of each process.
      clock: Of the run.
    """
    seconds, values = _joined(points, clock)
    bins = _bins(seconds, width_s=_ROUND_S)
    at = _means(bins, seconds)
    lowest, highest = np.full(len(at), np.inf), np.full(len(at), -np.inf)
    np.minimum.at(lowest, bins, values)
    np.maximum.at(highest, bins, values)
    mean = _means(bins, values)
    return Spread(*(_open_where_silent(at, each) for each in (lowest, mean, highest)))


def parts(line: Line) -> list[Line]:
    """A line cut where it is open."""
    cuts = np.flatnonzero(np.isnan(line.values))
    pieces = zip(np.split(line.seconds, cuts), np.split(line.values, cuts))
    return [Line(at[np.isfinite(y)], y[np.isfinite(y)]) for at, y in pieces]


def _joined(points: Sequence[Points], clock: Clock) -> Points:
    """All points in order of time, on the run's clock."""
    columns = points or [(np.empty(0), np.empty(0))]
    times, values = (np.concatenate(column) for column in zip(*columns))
    seconds = clock.seconds(times)
    order = np.argsort(seconds, kind="stable")
    return seconds[order], values[order]


def _bins(seconds: np.ndarray, width_s: float) -> np.ndarray:
    """The number of the short time each point falls into; none of them is empty."""
    if not len(seconds):
        return np.empty(0, int)
    width_s = max(width_s, float(np.ptp(seconds)) / (_POINTS // 2))
    numbers = ((seconds - seconds[0]) / width_s).astype(int)
    return np.unique(numbers, return_inverse=True)[1]


def _means(bins: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Of the values in each bin."""
    return np.bincount(bins, values) / np.bincount(bins)


def _open_where_silent(seconds: np.ndarray, values: np.ndarray) -> Line:
    """Puts a NaN between points that are unusually far apart."""
    passed = np.diff(seconds)
    if not len(passed):
        return Line(seconds, values)
    usual_s = float(np.median(passed))
    silent = np.flatnonzero(passed > max(_SILENCE_S, _SILENCE * usual_s))
    return Line(
        np.insert(seconds, silent + 1, seconds[silent]),
        np.insert(values.astype(float), silent + 1, np.nan),
    )
