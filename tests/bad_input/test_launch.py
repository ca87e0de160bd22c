"""The launcher refuses what it can before it starts anything, and ends all else."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Callable

import portpicker
import psutil
import pytest

from tests.bad_input.conftest import Refuse

Launch = Callable[..., Any]


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--num_actors=0", "--num_actors is 0; it must be a whole number >= 1"),
        ("--num_actors=-1", "--num_actors is -1; it must be a whole number >= 1"),
        ("--num_actors=two", "--num_actors=two"),
        ("--num_actors=1.5", "--num_actors=1.5"),
        ("--port=0", "--port is 0; it must be a whole number >= 1 and <= 65535."),
        ("--port=-5", "--port is -5"),
        ("--port=70000", "--port is 70000"),
        ("--metrics_port=0", "--metrics_port is 0; it must be a whole number >= 1 and"),
        ("--metrics_port=70000", "--metrics_port is 70000"),
        ("--metrics_host=0.0.0.0", "means nothing without --metrics_port: add it"),
        ("--isolate=perhaps", "--isolate=perhaps"),
        ("--max_train_steps=0", "--max_train_steps is 0"),
        ("--target_return=nan", "--target_return is nan"),
        ("--seed=-1", "--seed=-1"),
        ("--resume=perhaps", "--resume=perhaps"),
        ("--gin_file=nope.gin", "which is neither a file nor a preset ("),
        ("--gin_file=", "--gin_file is ''"),
        ("--root_dir=/proc/nope", "--root_dir /proc/nope cannot be written"),
        ("--root_dir=", "--root_dir is required"),
        ("--nope", "Unknown command line flag 'nope'"),
        ("stray", "unknown argument 'stray'"),
        ("--gin_bindings=Replay.batch_size", "gin: Couldn't parse statement"),
        ("--gin_bindings=Replay.batch_size = nan", "gin: Failed to parse token 'nan'"),
        ("--gin_bindings=Replay.transitions_per_item = 7", "it must divide Replay.bat"),
        ("--gin_bindings=Replay.max_size = 10", "Replay.min_size_to_sample (1000)"),
        ("--gin_bindings=Collect.envs_per_actor = True", "envs_per_actor is True"),
        ("--gin_bindings=Train.steps_per_call = '2'", "Train.steps_per_call is '2'"),
        ("--gin_bindings=Evaluation.episodes = 0", "Evaluation.episodes is 0"),
    ],
)
def test_a_wrong_flag_is_told_before_anything_is_started(
    flag: str, said: str, refuse: Refuse, tmp_path: Path
) -> None:
    assert said in refuse("launch", flag)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be written (File exists)" in refuse("launch", "--root_dir=file")


def test_a_gin_file_is_told_with_the_line_before_anything_is_started(
    refuse: Refuse, tmp_path: Path
) -> None:
    path = tmp_path / "mine.gin"
    path.write_text("\nReplay.batch_size 64\n")
    message = refuse("launch", "--gin_file=mine.gin")
    assert f"({path}, line 2: Replay.batch_size 64)" in message
    assert list(tmp_path.iterdir()) == [path]


def test_a_port_in_use(refuse: Refuse) -> None:
    port = portpicker.pick_unused_port()
    with socket.socket() as other:
        other.bind(("", port))
        other.listen()
        message = refuse("launch", f"--port={port}")
    assert f"--port {port} is in use by another process" in message


def test_a_port_for_the_figures_that_cannot_be_served(
    refuse: Refuse, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        message = refuse("launch", f"--metrics_port={taken}")
    assert f"--metrics_port {taken} at 127.0.0.1 is in use by another" in message
    for host in ("no.such.host.invalid", "192.0.2.1", "a..b", ""):
        message = refuse("launch", "--metrics_port=9090", f"--metrics_host={host}")
        assert f"--metrics_port 9090 at {host} cannot be served (" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [0, 2])
def test_a_port_for_the_figures_that_a_replay_server_is_to_have(
    number: int, refuse: Refuse, tmp_path: Path
) -> None:
    """It is free just now."""
    port = portpicker.pick_unused_port()
    message = refuse(
        "launch",
        f"--port={port}",
        f"--metrics_port={port + number}",
        "--num_replay_servers=3",
    )
    assert message == (
        f"--metrics_port is {port + number}, which is one of the replay servers' own "
        f"({port} to {port + 2}); choose another."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_run_to_resume_that_is_not_there(refuse: Refuse) -> None:
    assert "holds no run" in refuse("launch", "--resume")


def test_more_actors_than_the_machine_can_hold(refuse: Refuse) -> None:
    """They would take it down."""
    assert "100000 actors are to run on this machine, but with" in refuse(
        "launch", "--num_actors=100000"
    )


def test_what_the_server_refuses_ends_all_processes(launch: Launch) -> None:
    """One line of it is the last one; that there are too many actors is said first."""
    too_many = psutil.virtual_memory().available // 500_000_000 + 1
    command = launch(
        f"--num_actors={too_many}",
        "--gin_bindings=gym_environment.name = 'CartPole-v7'",
    )
    assert command.wait() == 2
    _, _, warning, *_, last = command.output.splitlines()
    assert warning.startswith(f"warning: {too_many} actors on this machine, server,")
    assert last.startswith("reverb_server failed (exit code 2")
    assert "did you mean CartPole-v" in last
    command.assert_nothing_is_left(timeout_s=1)
