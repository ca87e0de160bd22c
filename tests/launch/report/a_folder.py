"""Folders of runs, with the files that a run leaves."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np

from eval_job import returns_file
from eval_job.returns_file import Row
from experiment.manifest import Manifest

STARTED_AT = 1_700_000_000.0

MANIFEST = Manifest(
    run_id="20260101-000000-abcdef01",
    gin_file="dqn_cartpole.gin",
    gin_text="Evaluation.target_return = 475\nTrain.max_train_steps = 5000\n",
    root_dir="/somewhere/else",
    seed=3,
    num_actors=2,
    resumed=False,
    started_at=STARTED_AT,
    machine={"commit": "0123456789ab", "host": "pc", "python": "3.10.1"},
)


def evaluation(train_step: int, average: float, wall_time_s: float) -> Row:
    """Of 10 episodes."""
    low, high = average - 20, average + 20
    return Row(train_step, 3 * train_step, wall_time_s, average, 10.0, low, high, 10)


ROWS = [evaluation(1_000 * n, 50.0 + 90 * n, 10.0 + 10 * n) for n in range(6)]


def row(role: str, seconds: float, task: int = 0, **figures: Any) -> dict[str, Any]:
    """A row of metrics, so many seconds after the start."""
    pids = {"reverb_server": 1, "learner": 2, "eval_job": 3, "actor": 10 + task}
    known = {"host": "pc", "pid": pids.get(role), "memory_mb": 500, "cpu_percent": 50}
    return {
        "role": role,
        "task": task,
        "time": STARTED_AT + seconds,
        **known,
        **figures,
    }


def round_of_rows(seconds: float, actors: int = 2) -> list[dict[str, Any]]:
    """What all processes send every 2 seconds."""
    env_steps = int(300 * seconds)
    server: dict[str, Any] = {
        "replay_size": env_steps,
        "replay_max_size": 100_000,
        "samples_per_insert": 31.5,
        "samples_per_insert_wanted": 32,
        "env_steps": env_steps,
        "env_steps_per_s": 300,
        "stall": None,
    }
    learner: dict[str, Any] = {
        "train_step": int(100 * seconds),
        "updates_per_s": 100,
        "loss": None,
        "policy_lag": 100,
        "policy_lag_median": 90.0,
        "policy_lag_p95": 250,
        "waited_s": 0.05 * seconds,
    }
    return [
        row("reverb_server", seconds, **server),
        row("learner", seconds, **learner),
        row("eval_job", seconds, train_step=int(90 * seconds), average_return=9.0),
        *(
            row("actor", seconds, task, env_steps=env_steps, waited_s=0.5 * seconds)
            for task in range(actors)
        ),
    ]


def write_metrics(folder: Path, rows: Iterable[dict[str, Any]]) -> None:
    """As the server does."""
    text = "".join(json.dumps(each) + "\n" for each in rows)
    (folder / "metrics.jsonl").write_text(text)


def write_video(path: Path) -> None:
    """A second of grey, encoded as the eval job does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    video = imageio_ffmpeg.write_frames(str(path), (64, 48), fps=30)
    video.send(None)
    for level in range(30):
        video.send(np.full((48, 64, 3), 4 * level, np.uint8))
    video.close()


def make(folder: Path, returns: Sequence[Row] = ROWS, **changes: Any) -> Path:
    """A run of a minute that was broken off; `changes` are of its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = dataclasses.replace(MANIFEST, **changes)
    (folder / "run.json").write_text(manifest.to_json())
    (folder / "config.gin").write_text("Evaluation.target_return = 475\n")
    for each in returns:
        returns_file.append(folder / "eval" / "returns.csv", each)
    baseline = evaluation(0, 21.5, 9.0)
    returns_file.append(folder / "eval" / "random_policy.csv", baseline)
    rounds = (round_of_rows(seconds) for seconds in range(10, 60, 2))
    write_metrics(folder, (each for rows in rounds for each in rows))
    fault = {"time": STARTED_AT + 30, "role": "actor-1", "exit_code": 137}
    fault |= {"lived_s": 25.5, "restart_in_s": 1.0}
    (folder / "faults.jsonl").write_text(json.dumps(fault) + "\n")
    return folder


def finish(folder: Path, **figures: Any) -> None:
    """Writes the result."""
    result = {"status": "target_reached", "wall_time_s": 65.25}
    result |= {"time_to_target_s": 61.5, **figures}
    (folder / "result.json").write_text(json.dumps(result))
