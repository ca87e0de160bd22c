"""reverb_server/server.py: what a run's server keeps, and when it ends."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import portpicker
import pytest
import tensorflow as tf

from experiment import definition, run_dir, run_status
from experiment.errors import ConfigurationError
from experiment.manifest import Manifest
from reverb_server import motion, run_tables, server, stall_watch, tables
from reverb_server.replay_dataset import replay_dataset
from reverb_server.replay_layout import replay_layout
from reverb_server.replay_writer import ReplayWriter
from reverb_server.server import RunServer
from reverb_server.telemetry import TelemetrySender
from tests.reverb_server.conftest import Built
from tests.reverb_server.episodes import batches, experience
from tests.reverb_server.run_for_tests import GIN_TEXT, manifest
from tests.reverb_server.waiting import wait_until


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunServer]:
    """The server of a run in a folder."""
    port = portpicker.pick_unused_port()
    server = RunServer(definition.load_text(GIN_TEXT), manifest(tmp_path), port)
    yield server
    server._server.stop()


@pytest.fixture
def sender(run: RunServer) -> TelemetrySender:
    """An actor's."""
    return TelemetrySender(run.client, "actor", task=0)


def serve(run: RunServer, rounds: int) -> None:
    """Serves for so many rounds, without waiting between them."""
    answers = itertools.chain([False] * rounds, [True])
    run.serve(lambda seconds: next(answers))


def metrics(tmp_path: Path, role: str | None = None) -> list[dict[str, Any]]:
    """The rows that were kept, of one role or all."""
    lines = (tmp_path / run_dir.METRICS).read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [row for row in rows if role in (None, row["role"])]


def test_the_folder_says_what_is_run(run: RunServer, tmp_path: Path) -> None:
    """The run's identity, and all its values: that is an experiment again."""
    found = Manifest.from_json((tmp_path / run_dir.MANIFEST).read_text())
    info = run.client.server_info(timeout=5)
    assert found == run_tables.read_manifest(run.client, run.address, info)
    assert found.root_dir == str(tmp_path)
    config = (tmp_path / run_dir.CONFIG).read_text()
    assert "Evaluation.episodes = 3\n" in config
    assert "dqn_agent.learning_rate = 0.001\n" in config
    again = definition.load_text(config)
    assert again.replay == definition.load_text(GIN_TEXT).replay
    again.make_agent(again.environment())


def test_the_tables_are_those_of_the_experiment(
    run: RunServer, cartpole: Built
) -> None:
    """Laid out for its agent, with its sizes."""
    info = run.client.server_info(timeout=5)
    layout = replay_layout(cartpole.agent, definition.load_text(GIN_TEXT).replay)
    assert info[tables.REPLAY].max_size == 1_000 // 8
    assert info[tables.REPLAY].signature["steps"] == layout.signature


def test_rows_of_all_processes_are_kept_once(
    run: RunServer, sender: TelemetrySender, tmp_path: Path
) -> None:
    """Round by round, and the last ones when the server stops."""
    other = TelemetrySender(run.client, "learner", task=0)
    for number in range(3):
        sender.send({"number": number})
    serve(run, rounds=1)
    sender.send({"number": 3})
    other.send({"loss": 0.5})
    serve(run, rounds=2)
    assert [row["number"] for row in metrics(tmp_path, "actor")] == [0, 1, 2, 3]
    assert [row["loss"] for row in metrics(tmp_path, "learner")] == [0.5]
    sender.send({"number": 4})
    run.stop()
    assert [row["number"] for row in metrics(tmp_path, "actor")] == [0, 1, 2, 3, 4]


def test_rows_of_an_earlier_part_of_the_run_stay(
    run: RunServer, sender: TelemetrySender, tmp_path: Path
) -> None:
    """A run that goes on adds to them."""
    (tmp_path / run_dir.METRICS).write_text('{"role": "actor", "number": -1}\n')
    sender.send({"number": 0})
    serve(run, rounds=1)
    assert [row["number"] for row in metrics(tmp_path, "actor")] == [-1, 0]


def test_the_server_has_figures_of_its_own(
    run: RunServer, sender: TelemetrySender, cartpole: Built, tmp_path: Path
) -> None:
    """In transitions, not in items of eight; a row whenever others sent one."""
    layout = replay_layout(cartpole.agent, definition.load_text(GIN_TEXT).replay)
    writer = ReplayWriter(run.client, layout, 8, lambda: True)
    for steps in batches(experience([[9]] * 8)):
        writer(steps)
    wait_until(lambda: run.client.server_info()[tables.REPLAY].current_size == 9)
    serve(run, rounds=1)
    assert metrics(tmp_path) == []
    sender.send({})
    serve(run, rounds=1)
    [row] = metrics(tmp_path, "reverb_server")
    assert row["replay_size"] == 72
    assert row["replay_max_size"] == 1_000
    assert row["env_steps"] == 72
    assert row["env_steps_per_s"] > 0
    assert row["samples_per_s"] == 0
    list(replay_dataset(run.address, layout, batch_size=8).take(10))
    sender.send({})
    serve(run, rounds=1)
    row = metrics(tmp_path, "reverb_server")[-1]
    assert row["env_steps_per_s"] == 0
    assert row["samples_per_s"] > 0


def test_a_dead_run_is_heard_of_from_the_server(
    run: RunServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its own rows come though nobody sends any, and say what is missing."""
    monkeypatch.setattr(server, "_OWN_ROW_S", 0.0)
    serve(run, rounds=1)
    [row] = metrics(tmp_path)
    assert row["role"] == "reverb_server"
    assert row["stall"] is None
    monkeypatch.setattr(stall_watch, "_START_S", 0.0)
    monkeypatch.setattr(motion, "STILL_S", 0.0)
    serve(run, rounds=1)
    assert "none has been heard of" in metrics(tmp_path)[-1]["stall"]


def test_the_end_is_kept_once_with_its_train_step(
    run: RunServer, sender: TelemetrySender, cartpole: Built, tmp_path: Path
) -> None:
    """And the server goes on as long as anybody has something to say."""
    weights = tf.nest.map_structure(tf.convert_to_tensor, tables.weights_of(*cartpole))
    weights["train_step"] = tf.constant(1_234, tf.int64)
    run_tables.announce_end(run.address, run_status.TARGET_REACHED, weights)
    rounds = iter(range(5))

    def should_stop(seconds: float) -> bool:
        number = next(rounds)
        sender.send({"number": number})
        return number == 4

    run.serve(should_stop)
    [row] = metrics(tmp_path, "run")
    assert row["status"] == run_status.TARGET_REACHED
    assert row["train_step"] == 1_234
    assert [row["number"] for row in metrics(tmp_path, "actor")] == [0, 1, 2, 3]


def test_an_end_just_before_the_server_stops_is_kept(
    run: RunServer, cartpole: Built, tmp_path: Path
) -> None:
    """The launcher stops it as soon as all others have finished."""
    run_tables.announce_end(
        run.address, run_status.TARGET_REACHED, tables.weights_of(*cartpole)
    )
    run.stop()
    [row] = metrics(tmp_path, "run")
    assert row["status"] == run_status.TARGET_REACHED


def test_a_server_that_was_left_alone_ends_after_the_end(
    run: RunServer,
    sender: TelemetrySender,
    cartpole: Built,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Once all others have been quiet for some time; before the end it would not."""
    monkeypatch.setattr(server, "_QUIET_S", 0.0)
    monkeypatch.setattr(server, "_OWN_ROW_S", 0.0)
    sender.send({})
    rounds: list[float] = []

    def not_yet(seconds: float) -> bool:
        rounds.append(seconds)
        return len(rounds) > 5

    run.serve(not_yet)
    assert len(rounds) == 6
    rounds.clear()
    run_tables.announce_end(
        run.address, run_status.MAX_TRAIN_STEPS, tables.weights_of(*cartpole)
    )
    run.serve(not_yet, is_supervised=True)  # Somebody will tell it.
    assert len(rounds) == 6
    rounds.clear()
    run.serve(not_yet)
    assert len(rounds) <= 5
    assert len(metrics(tmp_path, "run")) == 1


def test_two_servers_do_not_share_a_folder(run: RunServer, tmp_path: Path) -> None:
    """Not before the first has stopped."""
    experiment = definition.load_text(GIN_TEXT)
    port = portpicker.pick_unused_port()
    with pytest.raises(ConfigurationError, match="still going"):
        RunServer(experiment, manifest(tmp_path), port)
    run.stop()
    RunServer(experiment, manifest(tmp_path), port).stop()


@pytest.mark.parametrize(
    "binding",
    [
        "dqn_agent.learning_rate = -1",
        "gym_environment.name = 'CartPol-v1'",
        "Replay.max_size = 9\nReplay.min_size_to_sample = 9",
    ],
)
def test_an_experiment_that_cannot_be_built_is_refused(
    tmp_path: Path, binding: str
) -> None:
    """Before anything is written into the folder."""
    experiment = definition.load_text(GIN_TEXT + binding)
    port = portpicker.pick_unused_port()
    with pytest.raises(ConfigurationError, match=binding.split(" ", maxsplit=1)[0]):
        RunServer(experiment, manifest(tmp_path), port)
    assert list(tmp_path.iterdir()) == []
