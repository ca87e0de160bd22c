"""reverb_server/telemetry.py: rows of figures, each kept once."""

from __future__ import annotations

import os
import socket
import time

import portpicker
import pytest
import reverb
import tensorflow as tf

from reverb_server import tables, telemetry
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


def test_while_nobody_takes_a_row_no_other_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No process waits for its telemetry, nor keeps all of it for later."""
    monkeypatch.setattr(telemetry, "_SEND_TIMEOUT_S", 0.1)
    port = portpicker.pick_unused_port()
    client = reverb.Client(f"localhost:{port}")
    sender = TelemetrySender(client, "actor", 0)
    begun = time.monotonic()
    for number in (1, 2, 3):
        sender.send({"number": number})
    assert time.monotonic() - begun < 20
    server = reverb.Server([telemetry_table()], port=port)
    found: list[object] = []

    def has_come_back() -> bool:
        sender.send({"number": 4})
        size = client.server_info(timeout=5)[tables.TELEMETRY].current_size
        found.extend(row["number"] for row in drain(client, size))
        return len(found) >= 2

    wait_until(has_come_back)
    server.stop()
    assert found[0] == 1
    assert set(found[1:]) == {4}
