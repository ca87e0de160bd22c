"""The end of a run, and faults that are found there (F26)."""

from __future__ import annotations

import json
import time
from typing import Any

import psutil
import pytest

from experiment import run_dir
from tests.faults.conftest import Run
from tests.faults.running import Running
from tests.system.commands import TIMEOUT_S

pytestmark = pytest.mark.slow


def _result(running: Running) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((running.folder / run_dir.RESULT).read_text())
    return result


def test_a_run_ends_though_its_actor_waits_for_the_learner(run: Run) -> None:
    """It waits for a limiter that nobody will open any more."""
    running = run(
        "--max_train_steps=3000", "--gin_bindings=Replay.samples_per_insert = 800"
    )
    running.wait(lambda: running.rows("learner"))
    learner = running.process("learner")
    running.wait(
        lambda: any(row.get("waited_s", 0) > 1 for row in running.rows("actor"))
    )
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
    running = run("--max_train_steps=1000")
    running.wait(lambda: "the run has ended" in running.command.output)
    running.kill("reverb_server")
    assert running.command.wait() == 0, running.command.output
    running.command.assert_nothing_is_left(timeout_s=1)
    assert _result(running)["status"] == "max_train_steps"
    assert _result(running)["train_step"] == 1_000
