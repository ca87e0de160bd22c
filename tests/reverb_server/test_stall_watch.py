"""reverb_server/stall_watch.py: what of a standstill goes into the log, and when."""

from __future__ import annotations

import logging

import pytest

from tests.reverb_server.conftest import Start
from tests.reverb_server.standing_run import actor, learner


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Level and beginning of what was logged since the last call."""
    found = [
        (record.levelno, record.getMessage().split(" (")[0])
        for record in caplog.records
        if "wait" in record.getMessage()
    ]
    caplog.clear()
    return found


def test_a_standstill_is_logged_when_new_now_and_then_and_when_it_is_over(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Its figures change at each look; that alone is no news."""
    caplog.set_level(logging.INFO)
    run = start()
    run.insert(4)
    run.wait(30, [actor(), learner()])
    assert said(caplog) == []
    warning = (logging.WARNING, "waiting: actors wait to insert")
    run.wait(30, [actor(), learner()])
    assert said(caplog) == [warning]
    run.wait(30, [actor(), learner()])
    assert said(caplog) == [warning]
    run.sample(3)
    run.insert()
    run.look([actor(), learner()])
    assert said(caplog) == [(logging.INFO, "nobody waits any more, after 90 s")]
    run.look([actor(), learner()])
    assert said(caplog) == []


def test_a_new_cause_is_logged_at_once(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Here the learner that was slow to start is not heard of any more."""
    run = start()
    run.insert(4)
    run.wait(34, [actor(), learner()])
    said(caplog)
    run.wait(32, [actor()])
    *_, last = caplog.messages
    assert "has not been heard of" in last
