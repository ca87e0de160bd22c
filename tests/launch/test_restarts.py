"""launch/restarts.py: whether a process is started again, and when."""

from __future__ import annotations

import pytest

from launch.restarts import Restarts


def test_each_failure_in_a_row_doubles_the_wait() -> None:
    """Up to half a minute; then the process is given up."""
    restarts = Restarts(in_a_row=8)
    delays = [restarts.delay_s(1, worked_s=3.0, now=float(now)) for now in range(9)]
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, None]


@pytest.mark.parametrize("exit_code", [1, 75, 137])
def test_none_at_all_may_be_asked_for(exit_code: int) -> None:
    """Then the first failure is the last."""
    assert Restarts(in_a_row=0).delay_s(exit_code, 3.0, 0.0) is None


@pytest.mark.parametrize("lived_s", [0.0, 3.0, 1_000.0])
def test_a_wrong_configuration_is_wrong_the_next_time_too(lived_s: float) -> None:
    """However long it took to find it out."""
    assert Restarts(in_a_row=5).delay_s(2, lived_s, 0.0) is None


def test_who_has_got_to_work_begins_anew() -> None:
    """The failures before count no more: the cause is another one."""
    restarts = Restarts(in_a_row=2)
    assert [restarts.delay_s(1, 3.0, now) for now in (0.0, 5.0)] == [1.0, 2.0]
    assert restarts.delay_s(137, worked_s=60.0, now=100.0) == 1.0
    assert restarts.delay_s(1, worked_s=59.0, now=200.0) == 2.0
    assert restarts.delay_s(1, worked_s=59.0, now=300.0) is None


def test_who_asks_for_it_is_started_at_once() -> None:
    """But not without end, if it asks again and again before it works."""
    restarts = Restarts(in_a_row=3)
    assert [restarts.delay_s(75, 3.0, float(now)) for now in range(4)] == [
        0,
        0,
        0,
        None,
    ]


def test_who_asks_for_it_after_good_work_may_do_so_all_day() -> None:
    """Every minute, e.g. since its memory is full: these are no failures."""
    restarts = Restarts(in_a_row=1)
    assert {restarts.delay_s(75, 61.0, 61.0 * now) for now in range(500)} == {0.0}


def test_who_always_fails_after_a_while_is_given_up() -> None:
    """30 times in an hour; those of the hour before do not count."""
    restarts = Restarts(in_a_row=5)
    often = [restarts.delay_s(1, 60.0, 61.0 * number) for number in range(30)]
    assert set(often) == {1.0}
    assert restarts.delay_s(1, 60.0, 3_599.0) is None
    assert restarts.delay_s(1, 60.0, 3_601.0) == 1.0
