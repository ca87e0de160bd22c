"""Runs end when they are told to or must, and leave nothing (F8, F14, F16, F21)."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any, Callable

from tests.faults.conftest import Run
from tests.faults.running import launch_broken


def test_a_killed_launcher_takes_its_processes_with_it(run: Run) -> None:
    running = run("--num_actors=1")
    running.wait_until_well()
    launcher = min(p.pid for p in running.command.processes())
    os.kill(launcher, signal.SIGKILL)
    assert running.command.wait(30) == -signal.SIGKILL
    running.command.assert_nothing_is_left(timeout_s=15)


def test_a_second_ctrl_c_ends_everything_now(run: Run) -> None:
    """Though the server cannot end: it is frozen."""
    running = run("--num_actors=1")
    running.wait_until_well()
    count = len(running.command.processes())
    running.process("reverb_server").suspend()
    running.command.send(signal.SIGINT)
    running.wait(lambda: len(running.command.processes()) < count)
    running.command.send(signal.SIGINT)
    assert running.command.wait(10) == 130
    running.command.assert_nothing_is_left(timeout_s=15)


def test_a_killed_actor_ends_the_run_if_nothing_is_to_be_restarted(run: Run) -> None:
    """What went wrong comes last; what was in the log of it follows."""
    running = run("--max_restarts=0")
    running.wait_until_well()
    running.kill("actor", task=1)
    assert running.command.wait() == 1
    running.command.assert_nothing_is_left(timeout_s=1)
    _, told, why = running.command.output.partition("curves: ")
    assert told
    log = running.folder / "logs" / "actor-1.log"
    assert f"\nactor-1 failed (exit code 137, log {log}):" in why
    result = json.loads((running.folder / "result.json").read_text())
    assert result["status"] == "failed"
    assert result["time_to_target_s"] is None


def test_a_learner_that_cannot_start_ends_the_run(
    launch: Callable[..., Any], tmp_path: Path
) -> None:
    """Nobody waits for it for a day; its error is shown last."""
    command = launch_broken(launch, tmp_path, "--max_restarts=0")
    assert command.wait() == 1
    assert command.output.splitlines()[-1].endswith("RuntimeError: no network today")
    command.assert_nothing_is_left(timeout_s=1)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["status"] == "failed"


def test_weights_that_are_no_numbers_end_the_run(run: Run) -> None:
    """They are neither published nor stored, and a restart would come there again."""
    running = run("--num_actors=1", "--gin_bindings=dqn_agent.learning_rate = 1e30")
    assert running.command.wait() == 2
    last = running.command.output.splitlines()[-1]
    assert last.startswith("learner failed (exit code 2")
    assert re.search("non-finite weights in|the loss is", last)
    running.command.assert_nothing_is_left(timeout_s=1)
    assert "starting it again" not in running.command.output
