"""reverb_server/stall_watch.py: what of a standstill goes into the log, and when."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import reverb
import tensorflow as tf
from reverb.rate_limiters import MinSize, RateLimiter, SampleToInsertRatio

from reverb_server import shard as shard_lib
from reverb_server import tables
from reverb_server.run_tables import Identity
from reverb_server.shard import Shard
from tests.reverb_server.conftest import Serve, Start
from tests.reverb_server.standing_run import actor, learner
from tests.reverb_server.waiting import wait_until


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


def test_what_goes_on_at_a_further_server_is_no_standstill(
    start: Start, serve: Serve
) -> None:
    """And one whose limiter holds the actors is named."""
    run = start(SampleToInsertRatio(1.0, 1, 40.0))
    run.insert()
    run.sample()
    spec = tf.TensorSpec([], tf.string, name=str(Identity("run/shard-1", 1)))
    signature = tf.TensorSpec([], tf.int64)
    further = serve(
        [
            a_table(tables.REPLAY, SampleToInsertRatio(1.0, 2, 40.0), signature),
            a_table(tables.RUN, MinSize(1), spec),
        ]
    )
    shard = Shard(1, further.address, "run")
    rows = [actor(), learner(train_step=3, waited_s=1)]

    def look(inserts: int) -> str | None:
        for _ in range(inserts):
            further.client.insert([np.int64(0)], {tables.REPLAY: 1.0})
        before = shard.inserted + inserts
        wait_until(lambda: shard.inserted == before)
        run.now += 2
        info = run.client.server_info(timeout=5)
        return run.watch.look(info, rows, run.now, [shard])

    said = [look(inserts=1) for _ in range(22)]
    assert not any("no actor has inserted" in (each or "") for each in said)
    look(inserts=20)  # The limiter holds the next one.
    said = [look(inserts=0) for _ in range(30)]
    shard_lib.leave([shard])
    assert f"wanted of replay shard 1 at {further.address}" in (said[-1] or "")


def a_table(name: str, limiter: RateLimiter, signature: tf.TensorSpec) -> reverb.Table:
    """Of a further server."""
    return reverb.Table(
        name,
        sampler=reverb.selectors.Fifo(),
        remover=reverb.selectors.Fifo(),
        max_size=1_000,
        rate_limiter=limiter,
        signature=signature,
    )
