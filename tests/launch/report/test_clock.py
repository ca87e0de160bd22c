"""launch/report/clock.py: the time of a run, without that in which it lay still."""

from __future__ import annotations

import numpy as np

from launch.report.clock import Clock
from launch.report.metrics import Life


def server(pid: int, first: float, last: float) -> Life:
    """One that sent its first and last row at these times."""
    life = Life("reverb_server", 0, "pc", pid)
    life.add({"time": first})
    life.add({"time": last})
    return life


def seconds(clock: Clock, *times: float) -> list[float]:
    return list(clock.seconds(np.array(times)))


def test_it_counts_from_the_start() -> None:
    clock = Clock(1_000.0, [server(1, 1_005.0, 1_100.0)], [])
    assert seconds(clock, 1_000.0, 1_050.0) == [0.0, 50.0]
    assert clock.resumed_at == []


def test_it_stands_still_between_an_end_and_a_resume() -> None:
    """`started_at` is moved by a resume, so that the clock goes on where it stood."""
    lives = [server(1, 1_005.0, 1_100.0), server(2, 9_100.0, 9_200.0)]
    clock = Clock(9_000.0, lives, [])
    assert seconds(clock, 1_000.0, 1_100.0, 5_000.0, 9_100.0, 9_150.0) == [
        0.0,
        100.0,
        100.0,
        100.0,
        150.0,
    ]
    assert clock.resumed_at == [9_100.0]


def test_it_goes_on_while_a_server_that_failed_is_started_again() -> None:
    lives = [server(1, 1_005.0, 1_100.0), server(2, 1_130.0, 1_200.0)]
    clock = Clock(1_000.0, lives, server_faults=[1_102.0])
    assert seconds(clock, 1_100.0, 1_130.0) == [100.0, 130.0]
    assert clock.resumed_at == []


def test_a_run_without_figures_has_a_clock() -> None:
    assert seconds(Clock(1_000.0, [], []), 1_001.0) == [1.0]
