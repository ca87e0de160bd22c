"""experiment/interval.py: intervals and rates, by a clock that the test moves."""

from __future__ import annotations

import time

import pytest

from experiment.interval import Interval, Rate


class Clock:
    """`time.monotonic`, moved by hand."""

    def __init__(self) -> None:
        """Starts anywhere, as the real one does."""
        self.now = 1000.0

    def __call__(self) -> float:
        """What the time is."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the module looks at."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_an_interval_is_due_once_when_it_has_passed(clock: Clock) -> None:
    """The first one begins at once, the next when the last was found to be over."""
    interval = Interval(10)
    assert not interval.due()
    clock.now += 9.9
    assert not interval.due()
    clock.now += 0.1
    assert interval.due()
    assert not interval.due()
    clock.now += 10
    assert interval.due()


def test_intervals_that_were_missed_are_not_made_up_for(clock: Clock) -> None:
    """A loop that was away for long does its work once, not many times."""
    interval = Interval(1)
    clock.now += 100.5
    assert interval.due()
    clock.now += 0.9
    assert not interval.due()
    clock.now += 0.1
    assert interval.due()


def test_a_rate_is_that_since_the_last_look(clock: Clock) -> None:
    """Not that since the start."""
    rate = Rate()
    clock.now += 2
    assert rate.update(100) == pytest.approx(50)
    clock.now += 4
    assert rate.update(500) == pytest.approx(100)
    clock.now += 1
    assert rate.update(500) == 0


def test_two_looks_at_one_moment_divide_by_no_zero(clock: Clock) -> None:
    """Clocks have a grain."""
    rate = Rate()
    assert rate.update(0) == 0
    assert rate.update(1) > 0
