"""reverb_server/server.py: it serves on, whatever is sent to it as telemetry."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import portpicker
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from experiment import definition, run_dir
from reverb_server import figures, motion, stall_watch, tables
from reverb_server.row_writer import RowWriter
from reverb_server.server import RunServer
from reverb_server.telemetry import TelemetrySender
from tests.reverb_server.run_for_tests import GIN_TEXT, manifest

HOST = "127.0.0.1"

VALUES: tuple[Any, ...] = (
    "x",
    [1],
    {"path": "/etc", "train_step": "x"},
    {"path": "\0", "train_step": 1},
    None,
    -1,
    10**40,
    1e300,
    float("nan"),
    float("inf"),
    True,
)


@pytest.fixture
def port() -> int:
    """Of the figures."""
    return int(portpicker.pick_unused_port())


@pytest.fixture
def run(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server that explains at once who waits for whom."""
    monkeypatch.setattr(stall_watch, "_START_S", 0.0)
    monkeypatch.setattr(motion, "STILL_S", 0.0)
    server = RunServer(
        definition.load_text(GIN_TEXT),
        manifest(tmp_path),
        portpicker.pick_unused_port(),
        metrics_address=(HOST, port),
    )
    yield server
    server.stop()


def foreign_rows() -> Iterator[dict[str, Any]]:
    """Of each role, with each value that others do not send, in each place."""
    for role in (*figures.PROCESSES, figures.RUN, "juggler"):
        row = {"role": role, "task": 0, "host": "a", "pid": 1, "time": time.time()}
        names = {each.name for each in figures.FIGURES if role in each.roles}
        for value in VALUES:
            yield from ({**row, name: value} for name in {*names, "snapshot"})
            yield {**row, **{name: value for name in names if name not in row}}


def scraped(port: int) -> str:
    """What Prometheus is told."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=20) as answer:
        assert answer.status == 200
        return str(answer.read().decode())


def test_foreign_rows_end_nothing(run: RunServer, port: int, tmp_path: Path) -> None:
    """Those of members are kept, drawn and scraped after them."""
    writer = RowWriter(run.client, tables.TELEMETRY)
    for row in foreign_rows():
        writer.write(np.array(json.dumps(row).encode(), object))
        assert writer.flush(20)
        run.keep_rows()
        scraped(port)
    sender = TelemetrySender(run.client, figures.LEARNER, task=0)
    sender.send({"train_step": 12_345, "loss": 0.25})
    run.keep_rows()
    last = run_dir.last_row(tmp_path, figures.LEARNER)
    assert (last["train_step"], last["loss"]) == (12_345, 0.25)
    assert run_dir.last_row(tmp_path, figures.SERVER)["train_step"] == 12_345
    assert run_dir.last_row(tmp_path, figures.RUN) == {}
    assert "antiphon_reverb_server_train_step" in scraped(port)
    folder = tmp_path / run_dir.TELEMETRY_DIR / figures.SERVER
    events = EventAccumulator(str(folder)).Reload()
    points = events.Scalars(f"{figures.AXES['train_step']}/train_step")
    assert points[-1].step == 12_345
