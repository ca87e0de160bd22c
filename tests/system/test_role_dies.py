"""A process of a run is killed: it is started again, or the run says which it was."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any, Callable

import psutil
import pytest

Launch = Callable[..., Any]

# Small, and without end.
_ENDLESS = (
    "--num_actors=2",
    "--max_train_steps=1000000",
    "--gin_bindings=Replay.min_size_to_sample = 200",
    "--gin_bindings=Collect.initial_collect_steps = 200",
)


def _process_of(command: Any, *words: str) -> psutil.Process:
    """The one process of the command whose command line has all these words."""
    [found] = [
        process
        for process in command.processes()
        if set(words) <= set(process.cmdline())
    ]
    return found


def _rows(root_dir: Path, role: str, task: int) -> list[dict[str, Any]]:
    """The figures of one process and of those before it, as far as there are any."""
    metrics = root_dir / "metrics.jsonl"
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    rows = [json.loads(line) for line in lines]
    return [row for row in rows if (row["role"], row.get("task")) == (role, task)]


def _wait_until_it_learns(command: Any, root_dir: Path) -> None:
    """Until weights that were trained have been judged, too."""

    def learns() -> bool:
        trained = any(row.get("train_step") for row in _rows(root_dir, "learner", 0))
        judged = [row.get("average_return") for row in _rows(root_dir, "eval_job", 0)]
        return trained and any(average is not None for average in judged)

    command.wait_until(learns, timeout_s=90)


@pytest.mark.timeout(240)
def test_a_killed_actor_is_started_again(launch: Launch, tmp_path: Path) -> None:
    """In the midst of it, by a signal that nobody can handle: memory ran out, say.

    The run goes on; the new actor acts with the newest weights, and inserts.
    """
    command = launch("--root_dir=run", *_ENDLESS)
    run = tmp_path / "run"
    _wait_until_it_learns(command, run)
    actor = _process_of(command, "actor", "--task=1")
    actor.kill()
    command.wait_until(lambda: "actor-1 was ended by SIGKILL" in command.output, 30)
    log = run / "logs" / "actor-1.log"
    assert f"starting it again in 1 s. Log: {log}" in command.output

    def of_the_new_one() -> list[dict[str, Any]]:
        return [row for row in _rows(run, "actor", 1) if row["pid"] != actor.pid]

    command.wait_until(lambda: any(r.get("env_steps") for r in of_the_new_one()), 90)
    before = _rows(run, "learner", 0)[-1]["train_step"]
    command.wait_until(lambda: _rows(run, "learner", 0)[-1]["train_step"] > before, 30)
    command.send(signal.SIGTERM)
    assert command.wait(30) == 143
    command.assert_nothing_is_left(timeout_s=1)
    result = json.loads((run / "result.json").read_text())
    assert result["status"] == "interrupted"
    [fault] = (run / "faults.jsonl").read_text().splitlines()
    assert json.loads(fault)["role"] == "actor-1"


def test_a_killed_actor_ends_the_run_if_nothing_is_to_be_restarted(
    launch: Launch, tmp_path: Path
) -> None:
    """It says which it was, and leaves nothing."""
    command = launch("--root_dir=run", "--max_restarts=0", *_ENDLESS)
    _wait_until_it_learns(command, tmp_path / "run")
    _process_of(command, "actor", "--task=1").kill()
    assert command.wait(30) == 1
    command.assert_nothing_is_left(timeout_s=1)
    # What went wrong comes last; what was in the log of it follows.
    _, told, why = command.output.partition("curves: ")
    assert told
    log = tmp_path / "run" / "logs" / "actor-1.log"
    assert f"\nactor-1 failed (exit code 137, log {log}):" in why
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["status"] == "failed"
    assert result["time_to_target_s"] is None
