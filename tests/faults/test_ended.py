"""Runs end when they are told to or must, and leave nothing.

That is when the launcher is killed (F16; the server before, F5), at a second Ctrl-C
(F14), and when there is nothing to be gained by going on (F8, F21, F30).
"""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any, Callable

from experiment import run_dir
from tests.faults.conftest import Run
from tests.faults.running import launch_broken


def test_a_killed_server_comes_back_empty_and_a_killed_launcher_takes_all_with_it(
    run: Run,
) -> None:
    """Before any snapshot. Everybody tells of the server, fills it, and counts on."""
    running = run("--gin_bindings=Train.checkpoint_interval_s = 1000")
    running.wait_until_well()
    before = running.kill("reverb_server")
    env_steps = running.rows("reverb_server", pid=before)[-1]["env_steps"]
    for name in ("learner", "actor-0"):
        running.wait(lambda: running.logged(name, "the replay table began empty"))  # noqa: B023
    running.wait_until_well()
    after = running.process("reverb_server").pid
    rows = running.rows("reverb_server", pid=after)
    assert min(row["env_steps"] for row in rows) >= env_steps
    assert rows[0]["replay_size"] < env_steps
    running.kill("launch")
    assert running.command.wait(30) == -signal.SIGKILL
    running.command.assert_nothing_is_left(timeout_s=15)


def test_a_second_ctrl_c_ends_everything_now(run: Run) -> None:
    """Though the server cannot end: it is frozen."""
    running = run()
    running.wait_until_well()
    count = len(running.command.processes())
    running.process("reverb_server").suspend()
    running.command.send(signal.SIGINT)
    running.wait(lambda: len(running.command.processes()) < count)
    running.command.send(signal.SIGINT)
    assert running.command.wait(30) == 130
    running.command.assert_nothing_is_left(timeout_s=15)


def test_a_killed_actor_ends_the_run_if_nothing_is_to_be_restarted(run: Run) -> None:
    """What went wrong comes last; what was in the log of it follows."""
    running = run("--max_restarts=0")
    running.wait_until_well()
    running.kill("actor")
    assert running.command.wait() == 1
    running.command.assert_nothing_is_left(timeout_s=1)
    _, told, why = running.command.output.partition("curves: ")
    assert told
    log = running.folder / "logs" / "actor-0.log"
    assert f"\nactor-0 failed (exit code 137, log {log}):" in why
    result = json.loads((running.folder / "result.json").read_text())
    assert result["status"] == "failed"
    assert result["time_to_target_s"] is None


def test_a_learner_that_never_starts_is_given_up(
    launch: Callable[..., Any], tmp_path: Path
) -> None:
    """Nobody waits for it for a day; its error is shown last."""
    command = launch_broken(launch, tmp_path, "--num_actors=1", "--max_restarts=2")
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
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["status"] == "failed"


def test_weights_that_are_no_numbers_end_the_run(run: Run) -> None:
    """They are neither published nor stored, and a restart would come there again."""
    running = run("--gin_bindings=dqn_agent.learning_rate = 1e30")
    assert running.command.wait() == 2
    last = running.command.output.splitlines()[-1]
    assert last.startswith("learner failed (exit code 2")
    assert re.search("non-finite weights in|the loss is", last)
    running.command.assert_nothing_is_left(timeout_s=1)
    assert "starting it again" not in running.command.output
