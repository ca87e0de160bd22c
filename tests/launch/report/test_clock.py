"""launch/report/clock.py: the time of a run, without that in which it lay still."""

from __future__ import annotations

import numpy as np

from launch.report.clock import Clock


def seconds(clock: Clock, *times: float) -> list[float]:
    return list(clock.seconds(np.array(times)))


def test_it_counts_from_the_start() -> None:
    clock = Clock(1_000.0, [])
    assert seconds(clock, 1_000.0, 1_050.0) == [0.0, 50.0]
    assert clock.resumed_at == []


def test_it_stands_still_between_an_end_and_a_resume() -> None:
    """`started_at` is moved by a resume, so that the clock goes on where it stood."""
    clock = Clock(9_500.0, [[1_100.0, 9_100.0], [9_200.0, 9_700.0]])
    assert seconds(clock, 1_000.0, 1_100.0, 5_000.0, 9_100.0, 9_150.0, 9_800.0) == [
        0.0,
        100.0,
        100.0,
        100.0,
        150.0,
        300.0,
    ]
    assert clock.resumed_at == [9_100.0, 9_700.0]
