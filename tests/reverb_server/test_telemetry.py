"""reverb_server/telemetry.py: rows of figures, each kept once."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from typing import Any

import numpy as np
import portpicker
import pytest
import reverb
import tensorflow as tf

from reverb_server import tables, telemetry
from reverb_server.row_writer import RowWriter
from reverb_server.telemetry import TelemetrySender, drain
from tests.reverb_server.conftest import Serve, Served
from tests.reverb_server.waiting import wait_until


@pytest.fixture
def served(serve: Serve) -> Served:
    """A server with the telemetry table only."""
    return serve([telemetry_table()])


def telemetry_table() -> reverb.Table:
    """As that of a run."""
    return reverb.Table(
        tables.TELEMETRY,
        sampler=reverb.selectors.Fifo(),
        remover=reverb.selectors.Fifo(),
        max_size=100,
        max_times_sampled=1,
        rate_limiter=reverb.rate_limiters.MinSize(1),
        signature=tf.TensorSpec([], tf.string),
    )


def drain_all(served: Served) -> list[dict[str, object]]:
    """Everything that is there."""
    return drain(served.client, served.info(tables.TELEMETRY).current_size)


def test_a_row_says_who_when_and_what(served: Served) -> None:
    """Figures may be anything that JSON can hold."""
    sender = TelemetrySender(served.client, "actor", task=3)
    before = time.time()
    sender.send({"env_steps": 12, "average_return": None, "note": "é"})
    [row] = drain_all(served)
    assert before <= row.pop("time") <= time.time()  # type: ignore[operator]
    assert row == {
        "role": "actor",
        "task": 3,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "env_steps": 12,
        "average_return": None,
        "note": "é",
    }


def test_rows_are_drained_once_and_in_order(served: Served) -> None:
    """However many at a time, and whoever sent them."""
    senders = [TelemetrySender(served.client, "actor", task) for task in range(3)]
    kept = []
    for number in range(60):
        senders[number % 3].send({"number": number})
        if number % 7 == 0:
            kept += drain_all(served)
    kept += drain_all(served)
    assert [row["number"] for row in kept] == list(range(60))
    assert [row["task"] for row in kept] == [number % 3 for number in range(60)]
    assert drain_all(served) == []


def test_fewer_rows_than_there_are_can_be_drained(served: Served) -> None:
    """The others stay."""
    sender = TelemetrySender(served.client, "actor", 0)
    for number in range(5):
        sender.send({"number": number})
    assert [row["number"] for row in drain(served.client, 2)] == [0, 1]
    assert [row["number"] for row in drain_all(served)] == [2, 3, 4]


def test_nothing_to_drain_is_not_waited_for(served: Served) -> None:
    """A sample of an empty table would block."""
    assert drain(served.client, 0) == []


def test_a_row_that_cannot_be_sent_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And no others pile up behind it; it arrives when the server is there."""
    monkeypatch.setattr(telemetry, "_SEND_TIMEOUT_S", 0.1)
    port = portpicker.pick_unused_port()
    sender = TelemetrySender(reverb.Client(f"localhost:{port}"), "actor", 0)
    for number in range(5):
        sender.send({"number": number})
    server = reverb.Server([telemetry_table()], port=port)
    client = server.localhost_client()

    def size() -> int:
        return int(client.server_info(timeout=5)[tables.TELEMETRY].current_size)

    wait_until(size)
    assert [row["number"] for row in drain(client, size())] == [0]
    server.stop()


ACTOR = {"role": "actor", "task": 0, "host": "a", "pid": 1, "time": 1.7e9}
WRONG: list[dict[str, Any]] = [
    {"role": "juggler"},
    {"role": ["actor"]},
    {"role": "reverb_server"},
    {"role": "run", "status": "target_reached"},
    {"task": [1]},
    {"task": -1},
    {"task": 10**40},
    {"task": None},
    {"host": {"a": 1}},
    {"host": "a\nb"},
    {"host": "\ud800"},
    {"pid": "12"},
    {"time": "x"},
    {"time": float("nan")},
    {"time": 1e300},
    {"time": -1},
]


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        b"[1, 2]",
        b'"actor"',
        *(json.dumps({**ACTOR, **wrong}).encode() for wrong in WRONG),
    ],
)
def test_what_does_not_say_who_has_sent_it_and_when_is_no_row(
    data: bytes, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """It is dropped, and the log says so; those around it are kept."""
    writer = RowWriter(served.client, tables.TELEMETRY)
    for each in (json.dumps(ACTOR).encode(), data, json.dumps(ACTOR).encode()):
        writer.write(np.array(each, object))
    assert writer.flush(20)
    with caplog.at_level(logging.WARNING):
        assert drain_all(served) == [ACTOR, ACTOR]
    assert len(caplog.messages) == 1


def test_values_that_are_no_numbers_are_left_out(served: Served) -> None:
    """Where a number is meant; the row counts without them."""
    sender = TelemetrySender(served.client, "learner", task=0)
    sender.send(
        {
            "train_step": 10**40,
            "loss": {"value": 1},
            "policy_lag": [1],
            "updates_per_s": "fast",
            "waited_s": 2.5,
            "memory_mb": None,
            "problem": "no space",
        }
    )
    [row] = drain_all(served)
    found = {name for name in row if name not in ACTOR}
    assert found == {"waited_s", "memory_mb", "problem"}
