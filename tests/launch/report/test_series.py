"""launch/report/series.py: few points, open where nothing was sent."""

from __future__ import annotations

import numpy as np
import pytest

from launch.report import series
from launch.report.clock import Clock
from launch.report.metrics import Points

CLOCK = Clock(0.0, [])


def test_a_short_line_is_drawn_as_it_was_sent() -> None:
    """In order of time, whatever the order of lives."""
    later = np.array([4.0, 6.0]), np.array([40.0, 60.0])
    earlier = np.array([0.0, 2.0]), np.array([0.0, 20.0])
    line = series.of_one([later, earlier], CLOCK)
    assert line.seconds.tolist() == [0, 2, 4, 6]
    assert line.values.tolist() == [0, 20, 40, 60]


def test_a_long_line_is_drawn_by_means() -> None:
    """A sine stays a sine."""
    times = np.arange(500_000.0)
    line = series.of_one([(times, np.sin(times / 50_000))], CLOCK)
    assert len(line.seconds) <= 1_000
    np.testing.assert_allclose(line.values, np.sin(line.seconds / 50_000), atol=1e-3)
    assert line.seconds[-1] > 499_000


def test_a_line_is_open_where_nothing_was_sent() -> None:
    """A minute in which the process was dead."""
    times = np.concatenate([np.arange(0.0, 20, 2), np.arange(80.0, 100, 2)])
    line = series.of_one([(times, np.ones(20))], CLOCK)
    [gap] = np.flatnonzero(np.isnan(line.values))
    assert line.seconds[gap - 1] == 18
    assert line.seconds[gap + 1] == 80
    first, second = series.parts(line)
    assert (len(first.values), len(second.values)) == (10, 10)


def test_points_that_are_far_apart_all_along_make_one_line() -> None:
    """Pieces of a large file."""
    times = np.arange(0.0, 100_000, 600)
    line = series.of_one([(times, np.ones(len(times)))], CLOCK)
    assert np.isfinite(line.values).all()


def test_many_processes_are_a_mean_and_its_ends() -> None:
    times = np.arange(0.0, 40, 2)
    actors = [(times + 0.1 * task, np.full(20, float(task))) for task in range(5)]
    spread = series.of_all(actors, CLOCK)
    assert set(spread.lowest.values) == {0.0}
    assert set(spread.highest.values) == {4.0}
    assert spread.mean.values == pytest.approx(2.0)


def test_so_are_days_of_64_actors() -> None:
    """In few points."""
    times = np.arange(0.0, 200_000, 20)
    actors = [(times + task / 10, np.full(len(times), 1.0)) for task in range(64)]
    spread = series.of_all(actors, CLOCK)
    assert 400 < len(spread.mean.seconds) <= 1_000


@pytest.mark.parametrize("points", [[], [(np.empty(0), np.empty(0))]])
def test_nothing_sent_is_an_empty_line(points: list[Points]) -> None:
    assert series.of_one(points, CLOCK).is_empty
    assert series.of_all(points, CLOCK).mean.is_empty


def test_one_point_is_one_point() -> None:
    point = np.array([5.0]), np.array([7.0])
    assert series.of_one([point], CLOCK).values.tolist() == [7.0]
    assert series.of_all([point], CLOCK).mean.values.tolist() == [7.0]
