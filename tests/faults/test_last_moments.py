"""The end of a run, and faults that are found there (F26, F30)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Callable

import psutil
import pytest

from experiment import run_dir
from tests.faults.conftest import Run
from tests.faults.running import Running, launch_broken
from tests.system.commands import TIMEOUT_S

pytestmark = pytest.mark.slow


def _result(running: Running) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((running.folder / run_dir.RESULT).read_text())
    return result


def test_a_run_ends_though_its_actors_wait_for_the_learner(run: Run) -> None:
    """They wait for a limiter that nobody will open any more."""
    running = run(
        "--max_train_steps=3000", "--gin_bindings=Replay.samples_per_insert = 200"
    )
    running.wait(lambda: running.rows("learner"))
    learner = running.process("learner")
    waited = [
        lambda task=task: any(
            row.get("waited_s", 0) > 1 for row in running.rows("actor", task=task)
        )
        for task in (0, 1)
    ]
    for condition in waited:
        running.wait(condition)
    deadline = time.monotonic() + TIMEOUT_S
    while learner.is_running() and learner.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert running.command.wait() == 0, running.command.output
    running.command.assert_nothing_is_left(timeout_s=1)
    assert _result(running)["status"] == "max_train_steps"
    assert _result(running)["train_step"] == 3_000
    assert "SIGKILL" not in running.command.output


def test_a_server_that_dies_after_the_end_does_not_change_it(run: Run) -> None:
    """It comes back, and is told of the end once more."""
    running = run("--num_actors=1", "--max_train_steps=2000")
    running.wait(lambda: "the run has ended" in running.command.output)
    running.kill("reverb_server")
    assert running.command.wait() == 0, running.command.output
    running.command.assert_nothing_is_left(timeout_s=1)
    assert _result(running)["status"] == "max_train_steps"
    assert _result(running)["train_step"] == 2_000


def test_a_learner_that_never_starts_is_given_up(
    launch: Callable[..., Any], tmp_path: Path
) -> None:
    command = launch_broken(launch, tmp_path, "--max_restarts=2")
    assert command.wait() == 1
    lines = command.output.splitlines()
    again = [line for line in lines if "starting it again" in line]
    assert [line.partition(" after")[0] for line in again] == [
        "learner failed with exit code 1"
    ] * 2
    assert lines[-1].startswith("learner failed (exit code 1, log ")
    assert lines[-1].endswith("RuntimeError: no network today")
    command.assert_nothing_is_left(timeout_s=1)
    faults = (tmp_path / "run" / run_dir.FAULTS).read_text().splitlines()
    assert [json.loads(line)["restart_in_s"] for line in faults] == [1.0, 2.0, None]
