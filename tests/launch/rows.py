"""Rows of figures as the processes of a run send them, and what follows from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval_job import returns_file
from experiment import run_dir
from launch.progress import Progress
from launch.state import Life, ProcessState, RunState, of_roles

SERVER = {
    "role": "reverb_server",
    "task": 0,
    "pid": 71,
    "env_steps": 12_345,
    "env_steps_per_s": 1_000.4,
    "replay_size": 5_000,
    "replay_max_size": 100_000,
}
LEARNER = {
    "role": "learner",
    "task": 0,
    "pid": 72,
    "waited_s": 0.0,
    "train_step": 6_789,
    "updates_per_s": 250.6,
    "policy_lag": 31.4,
}


EVAL_JOB = {"role": "eval_job", "task": 0, "target_return": 475.0}


class Metrics:
    """The files of a run that its progress is read from; do not exist at first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / run_dir.METRICS

    def judge(self, *averages: float, name: str = run_dir.RETURNS) -> None:
        """Appends evaluations, as the eval job does."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        for average in averages:
            returns = np.array([average])
            returns_file.append(path, returns_file.Row.of(returns, 0, 0, 1.0))

    def append(self, *rows: dict[str, Any]) -> None:
        """Appends rows."""
        with self.path.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)

    def progress(self, *rows: dict[str, Any]) -> Progress:
        """The progress of a run that has sent just these rows."""
        progress = Progress(self.folder)
        self.append(*rows)
        progress.read()
        return progress


def run_of(
    progress: Progress,
    *processes: ProcessState,
    seconds: float = 0.0,
) -> RunState:
    """A run with such figures, and with these processes or those that sent them."""
    return RunState(seconds, progress, processes or of_roles(progress))


def actors(lives: Sequence[Life], **figures: Any) -> list[ProcessState]:
    """Actors that do these, one after another."""
    return [
        ProcessState("actor", task, f"actor-{task}", life, **figures)
        for task, life in enumerate(lives)
    ]
