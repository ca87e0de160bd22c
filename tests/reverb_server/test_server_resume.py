"""reverb_server/server.py: a run that goes on."""

from __future__ import annotations

import dataclasses
import os
import socket
from pathlib import Path

import pytest

from experiment import run_dir
from experiment.errors import ConfigurationError
from reverb_server import metrics_endpoint
from reverb_server.membership import Membership
from reverb_server.server import RunServer
from reverb_server.telemetry import TelemetrySender
from tests.reverb_server.conftest import Built
from tests.reverb_server.run_for_tests import StopByHand
from tests.reverb_server.server_life import (
    ITEM,
    Start,
    insert,
    own_row,
    resumed,
    serve_once,
    start,
)

__all__ = ["start"]


def test_a_resumed_run_has_its_experience_and_its_environment_steps(
    start: Start, cartpole: Built, tmp_path: Path
) -> None:
    """As of the snapshot; those after it are lost, and not counted."""
    run = start()
    insert(run, cartpole, 5)
    run.store_replay(train_step=30)
    insert(run, cartpole, 2)
    assert own_row(run, tmp_path)["env_steps"] == 7 * ITEM
    run = start(resumed(run))
    row = own_row(run, tmp_path)
    assert (row["env_steps"], row["replay_size"]) == (5 * ITEM, 5 * ITEM)
    assert run.manifest.earlier_env_steps == 0
    insert(run, cartpole, 1)
    assert own_row(run, tmp_path)["env_steps"] == 6 * ITEM


def test_a_run_without_its_experience_goes_on_counting(
    start: Start, cartpole: Built, tmp_path: Path
) -> None:
    """The user has discarded it; members hear of the steps before."""
    run = start()
    insert(run, cartpole, 5)
    run.store_replay(train_step=30)
    assert own_row(run, tmp_path)["env_steps"] == 5 * ITEM
    run = start(resumed(run), restore=False)
    assert run.manifest.earlier_env_steps == 5 * ITEM
    row = own_row(run, tmp_path)
    assert (row["env_steps"], row["replay_size"]) == (5 * ITEM, 0)
    insert(run, cartpole, 2)
    assert own_row(run, tmp_path)["env_steps"] == 7 * ITEM
    member = Membership(run.address, "actor", StopByHand())
    assert member.env_steps(ITEM) == 7 * ITEM
    member.leave()
    run.store_replay(train_step=60)
    run = start(resumed(run))
    row = own_row(run, tmp_path)
    assert (row["env_steps"], row["replay_size"]) == (7 * ITEM, 2 * ITEM)
    assert run.manifest.earlier_env_steps == 5 * ITEM


def trained(run: RunServer, train_step: int) -> None:
    """Lets the server hear of the learner."""
    TelemetrySender(run.client, "learner", 0).send({"train_step": train_step})
    serve_once(run)


def test_a_resumed_run_is_at_the_train_step_of_its_snapshot(
    start: Start, cartpole: Built, tmp_path: Path
) -> None:
    """Before the learner says so: no point of a curve is drawn at 0."""
    run = start()
    insert(run, cartpole, 5)
    run.store_replay(train_step=30)
    trained(run, 37)
    run = start(resumed(run))
    assert own_row(run, tmp_path)["train_step"] == 30
    trained(run, 31)
    assert own_row(run, tmp_path)["train_step"] == 31


def test_a_server_that_comes_back_is_where_the_learner_was(
    start: Start, cartpole: Built, tmp_path: Path
) -> None:
    """Which has not gone back to the snapshot, nor to 0 if there was none."""
    run = start()
    insert(run, cartpole, 5)
    trained(run, 7)
    run = start(resumed(run), is_restart=True)
    assert own_row(run, tmp_path)["train_step"] == 7
    run.store_replay(train_step=30)
    trained(run, 37)
    run = start(resumed(run), is_restart=True)
    assert own_row(run, tmp_path)["train_step"] == 37


def test_a_run_whose_experience_is_discarded_is_where_it_was(
    start: Start, tmp_path: Path
) -> None:
    """If it has a checkpoint; else it begins anew."""
    run = start()
    trained(run, 37)
    again = dataclasses.replace(resumed(run), resumed=True)
    run = start(again, restore=False)
    assert own_row(run, tmp_path)["train_step"] == 37
    again = dataclasses.replace(resumed(run), resumed=False)
    assert own_row(start(again), tmp_path)["train_step"] == 0


def test_a_port_of_the_figures_that_was_taken_meanwhile_does_not_end_the_run(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows say so; it is served at again as soon as it is free."""
    monkeypatch.setattr(metrics_endpoint, "_RETRY_S", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = other.getsockname()
        run = start(is_restart=True, metrics_address=address)
        row = own_row(run, tmp_path)
        assert f"--metrics_port {address[1]} at 127.0.0.1 is in use" in row["problem"]
    own_row(run, tmp_path)
    assert own_row(run, tmp_path)["problem"] is None
    socket.create_connection(address, timeout=5).close()
    run.stop()


def damage(tmp_path: Path) -> None:
    """Cuts a file of each snapshot."""
    for path in (tmp_path / run_dir.REPLAY_DIR).glob("snapshots/*/chunks.tfrecord"):
        os.truncate(path, path.stat().st_size // 2)


def test_lost_experience_is_not_lost_in_silence(
    start: Start, cartpole: Built, tmp_path: Path
) -> None:
    """A resume is refused, with the flag that goes on without."""
    run = start()
    insert(run, cartpole, 5)
    run.store_replay(train_step=30)
    again = resumed(run)
    damage(tmp_path)
    with pytest.raises(ConfigurationError, match=r"--resume --discard_replay\."):
        start(again)


def test_a_server_that_comes_back_does_without_if_need_be(
    start: Start, cartpole: Built, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody could be asked; the log says so, and the steps are counted on."""
    run = start()
    insert(run, cartpole, 5)
    run.store_replay(train_step=30)
    own_row(run, tmp_path)
    again = resumed(run)
    damage(tmp_path)
    run = start(again, is_restart=True)
    assert "no snapshot of the replay table in this run's folder" in caplog.text
    row = own_row(run, tmp_path)
    assert (row["env_steps"], row["replay_size"]) == (5 * ITEM, 0)


def test_what_a_resume_changes_is_said_and_kept(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log, and in the manifest that all others read."""
    run = start()
    assert list(run.manifest.weights)[-1] == "int64[]"
    run = start(resumed(run), "Replay.batch_size = 16")
    line = "Replay.batch_size was 8, is 16"
    assert f"changed by this resume, and applied: {line}" in caplog.text
    assert list(run_dir.read_manifest(tmp_path).changes) == [line]
    assert "Replay.batch_size = 16" in (tmp_path / run_dir.CONFIG).read_text()


def test_a_resume_with_another_network_is_refused(start: Start, tmp_path: Path) -> None:
    """Before anything in the folder is changed."""
    again = resumed(start())
    before = (tmp_path / run_dir.CONFIG).read_text()
    with pytest.raises(ConfigurationError, match="the weights would be float32"):
        start(again, "q_network.layers = (7,)")
    assert (tmp_path / run_dir.CONFIG).read_text() == before
    assert run_dir.read_manifest(tmp_path).server_start == 1
