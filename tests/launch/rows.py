"""Rows of figures as the processes of a run send them, and what follows from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launch.progress import Progress
from launch.state import Life, ProcessState, RunState

SERVER = {
    "role": "reverb_server",
    "task": 0,
    "env_steps": 12_345,
    "env_steps_per_s": 1_000.4,
    "replay_size": 5_000,
    "replay_max_size": 100_000,
}
LEARNER = {
    "role": "learner",
    "task": 0,
    "train_step": 6_789,
    "updates_per_s": 250.6,
    "policy_lag": 31.4,
}


def evaluation(average: float, **figures: Any) -> dict[str, Any]:
    """A row of the eval job."""
    return {"role": "eval_job", "task": 0, "average_return": average, **figures}


class Metrics:
    """The metrics file of a run, as the server writes it; does not exist at first."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "metrics.jsonl"

    def append(self, *rows: dict[str, Any]) -> None:
        """Appends rows."""
        with self.path.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)

    def progress(self, *rows: dict[str, Any]) -> Progress:
        """The progress of a run that has sent just these rows."""
        progress = Progress(self.path)
        self.append(*rows)
        progress.read()
        return progress


def run_of(
    progress: Progress,
    *processes: ProcessState,
    seconds: float = 0.0,
    random_return: float | None = None,
) -> RunState:
    """A run with such figures and processes."""
    return RunState(seconds, progress, processes, random_return)


def actors(lives: Sequence[Life], **figures: Any) -> list[ProcessState]:
    """Actors that do these, one after another."""
    return [
        ProcessState("actor", task, f"actor-{task}", life, **figures)
        for task, life in enumerate(lives)
    ]
