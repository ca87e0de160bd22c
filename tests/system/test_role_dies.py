"""A process of a run is killed: the run ends, says which, and leaves nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import psutil

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


def test_a_killed_actor_ends_the_run(launch: Launch, tmp_path: Path) -> None:
    """In the midst of it, by a signal that nobody can handle: memory ran out, say."""
    command = launch("--root_dir=run", *_ENDLESS)
    metrics = tmp_path / "run" / "metrics.jsonl"
    command.wait_until(
        lambda: metrics.exists() and '"average_return"' in metrics.read_text(),
        timeout_s=60,
    )
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
