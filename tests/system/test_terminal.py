"""A run in a terminal, as most users see one."""

from __future__ import annotations

import signal
from typing import Callable

import psutil
import pytest

from tests.launch.terminal import Terminal
from tests.reverb_server.waiting import wait_until
from tests.system.commands import CHECKOUT

# What the libraries say when they are imported, or when they are used.
_NOISE = ("tensorflow", "cuda", "absl", "pygame", "gym", "grpc", "reverb/cc", "warning")


@pytest.mark.parametrize("flags", [[], ["--in_process"]], ids=["processes", "one"])
def test_one_sees_whether_it_learns_and_nothing_else(
    flags: list[str], terminal: Callable[..., Terminal]
) -> None:
    """And gets the terminal back as it was, with nothing left in it."""
    shown = terminal(
        str(CHECKOUT / "launch" / "run_module.py"),
        "launch",
        "--root_dir=run",
        "--max_train_steps=1000000",
        "--target_return=1000000",
        "--gin_bindings=Replay.min_size_to_sample = 200",
        "--gin_bindings=Collect.initial_collect_steps = 200",
        *flags,
    )
    children = psutil.Process(shown.process.pid).children
    wait_until(lambda: "left" in shown.text and "best" in shown.text, 90)
    started = children()
    shown.send(signal.SIGINT)
    assert shown.wait(60) == 130
    wait_until(lambda: "curves: " in shown.text)
    shown.assert_left_as_it_was()
    assert [process for process in started if process.is_running()] == []
    lines = shown.text.lower().splitlines()
    assert [line for line in lines if any(word in line for word in _NOISE)] == []
    assert any("interrupted, average return" in line for line in lines)
    assert any(line.startswith("last returns") for line in lines) or flags
    assert (shown.folder / "run" / "result.json").exists()
