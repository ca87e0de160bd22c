"""Each wrong input ends with one clear line and exit code 2, and leaves nothing."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Callable

import portpicker
import pytest

Launch = Callable[..., Any]


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--num_actors=0", "--num_actors is 0; it must be a whole number >= 1"),
        ("--num_actors=two", "--num_actors=two"),
        ("--port=70000", "--port is 70000"),
        ("--max_train_steps=0", "--max_train_steps is 0"),
        ("--gin_file=nope.gin", "neither a file nor a preset (dqn_cartpole.gin"),
        ("--root_dir=/proc/nope", "--root_dir /proc/nope cannot be written"),
        ("--root_dir=", "--root_dir is required"),
        ("--resume", "holds no run"),
        ("--nope", "Unknown command line flag 'nope'"),
        ("stray", "unknown argument 'stray'"),
    ],
)
def test_wrong_flag(flag: str, said: str, launch: Launch, tmp_path: Path) -> None:
    command = launch(flag)
    assert command.wait(20) == 2
    [line] = command.output.splitlines()
    assert said in line
    command.assert_nothing_is_left(timeout_s=1)


@pytest.mark.parametrize(
    ("binding", "said"),
    [
        ("Replay.bath_size = 1", "doesn't have a parameter named 'bath_size'"),
        ("gym_environment.name = 'CartPole-v7'", "did you mean CartPole-v"),
        ("gym_environment.name = 'Pendulum-v1'", "needs one discrete action"),
    ],
)
def test_wrong_gin_value_ends_all_processes(
    binding: str, said: str, launch: Launch
) -> None:
    command = launch(f"--gin_bindings={binding}")
    assert command.wait(60) == 2
    assert any(
        line.startswith("reverb_server failed (exit code 2") and said in line
        for line in command.output.splitlines()
    ), command.output
    command.assert_nothing_is_left(timeout_s=1)


def test_port_in_use(launch: Launch) -> None:
    port = portpicker.pick_unused_port()
    with socket.socket() as other:
        other.bind(("", port))
        other.listen()
        command = launch(f"--port={port}")
        assert command.wait(20) == 2
    assert f"--port {port} is in use by another process" in command.output
