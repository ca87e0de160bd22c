"""reverb_server/server.py: faults that do not end a run."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from experiment import run_dir
from reverb_server import server as server_lib
from reverb_server import tables
from reverb_server.membership import Membership
from reverb_server.telemetry import TelemetrySender
from tests.reverb_server.conftest import Built
from tests.reverb_server.run_for_tests import StopByHand
from tests.reverb_server.server_life import (
    ITEM,
    Start,
    insert,
    serve_once,
    start,
)
from tests.reverb_server.waiting import wait_until

__all__ = ["start"]


def test_the_learner_lets_the_table_be_stored(
    start: Start, cartpole: Built, tmp_path: Path
) -> None:
    """From another process: the server keeps it when it hears of it."""
    run = start()
    insert(run, cartpole, 3)
    member = Membership(run.address, "learner", StopByHand())
    member.store_replay(train_step=40)
    wait_until(lambda: run.client.server_info(5)[tables.TELEMETRY].current_size)
    serve_once(run)
    member.leave()
    [snapshot] = run._snapshots.newest_first()
    assert (snapshot.train_step, snapshot.env_steps) == (40, 3 * ITEM)
    row = run_dir.last_row(tmp_path, "learner")
    assert row["snapshot"]["train_step"] == 40


def test_figures_that_cannot_be_kept_do_not_end_the_run(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk may be full for a while; here a folder is in the way."""
    run = start()
    sender = TelemetrySender(run.client, "actor", 0)
    (tmp_path / run_dir.METRICS).mkdir()
    sender.send({"number": 0})
    serve_once(run)
    assert "2 rows of figures are lost" in caplog.text
    (tmp_path / run_dir.METRICS).rmdir()
    sender.send({"number": 1})
    serve_once(run)
    lines = (tmp_path / run_dir.METRICS).read_text().splitlines()
    numbers = [json.loads(line).get("number") for line in lines]
    assert numbers == [1, None]


def test_a_table_that_cannot_be_stored_does_not_end_the_run(
    start: Start, cartpole: Built, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so; the next time it may be."""
    run = start()
    insert(run, cartpole, 3)
    snapshots = run._snapshots
    shutil.rmtree(snapshots.working)
    snapshots.working.write_text("in the way")
    assert run.store_replay(train_step=40)
    snapshots.working.unlink()
    snapshots.working.mkdir()
    assert run.store_replay(train_step=50) is None
    assert [each.train_step for each in snapshots.newest_first()] == [50]


def test_a_snapshot_that_cannot_be_kept_does_not_end_the_run(
    start: Start, cartpole: Built, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Reverb has written it, but it cannot be moved."""
    run = start()
    insert(run, cartpole, 3)
    kept = tmp_path / run_dir.REPLAY_DIR / "snapshots"
    kept.rmdir()
    kept.write_text("in the way")
    run.store_replay(train_step=40)
    assert "a snapshot of the replay table is lost" in caplog.text


def test_a_server_that_hears_from_nobody_sends_figures_of_its_own(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the launcher would take it for hung."""
    monkeypatch.setattr(server_lib, "_OWN_ROW_S", 0.0)
    run = start()
    serve_once(run)
    row = run_dir.last_row(tmp_path, "reverb_server")
    assert (row["pid"], row["env_steps"]) == (os.getpid(), 0)
