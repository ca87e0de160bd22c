"""launch/result.py: `result.json`, from the files of a run."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from eval_job import returns_file
from eval_job.returns_file import Row
from launch import result
from tests.launch.a_run import MANIFEST, options

STARTED_AT, ENDED_AT = 1_000.25, 1_065.5

ROWS = [
    Row(0, 1_000, 3.0, 9.5, 0.5, 9.0, 10.0, 10),
    Row(5_000, 12_000, 20.0, 480.0, 40.0, 350.0, 500.0, 10),
    Row(5_000, 12_500, 21.0, 477.5, 40.0, 350.0, 500.0, 10),
]


def write(root_dir: Path, status: str, **changes: Any) -> dict[str, Any]:
    """The result of a run with the files that are in the folder."""
    path = result.write(options(root_dir, **changes), status, STARTED_AT, ENDED_AT)
    assert path == root_dir / "result.json"
    written: dict[str, Any] = json.loads(path.read_text())
    return written


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """The folder of a run that was judged."""
    (tmp_path / "run.json").write_text(MANIFEST.to_json())
    for row in ROWS:
        returns_file.append(tmp_path / "eval" / "returns.csv", row)
    baseline = dataclasses.replace(ROWS[0], average_return=20.5)
    returns_file.append(tmp_path / "eval" / "random_policy.csv", baseline)
    return tmp_path


def test_a_run_that_reached_its_target(finished: Path) -> None:
    """The figures are those of the last evaluation, and the best of all."""
    assert write(finished, "target_reached", num_actors=2) == {
        "run_id": "20260101-000000-abcdef01",
        "status": "target_reached",
        "average_return": 477.5,
        "best_average_return": 480.0,
        "random_average_return": 20.5,
        "train_step": 5_000,
        "env_steps": 12_500,
        "wall_time_s": 65.25,
        # From the start of the command, by the evaluation that settled it.
        "time_to_target_s": 2.25 + 21.0,
        "num_actors": 4,
        "seed": 3,
        "gin_file": "dqn_cartpole.gin",
    }


@pytest.mark.parametrize("status", ["max_train_steps", "interrupted", "failed"])
def test_only_a_reached_target_has_a_time(finished: Path, status: str) -> None:
    """All else is as it was."""
    written = write(finished, status)
    assert written["status"] == status
    assert written["time_to_target_s"] is None
    assert written["average_return"] == 477.5


def test_a_run_that_failed_before_it_had_a_server(tmp_path: Path) -> None:
    """The folder is empty: little is known, and 0 steps were taken."""
    written = write(tmp_path, "failed")
    nothing = {
        "run_id",
        "average_return",
        "best_average_return",
        "random_average_return",
        "time_to_target_s",
        "seed",
        "gin_file",
    }
    assert {name for name, value in written.items() if value is None} == nothing
    assert (written["train_step"], written["env_steps"]) == (0, 0)
    assert written["wall_time_s"] == 65.25


def test_a_run_that_was_ended_before_the_first_evaluation(finished: Path) -> None:
    """Its random baseline is there all the same."""
    (finished / "eval" / "returns.csv").unlink()
    written = write(finished, "interrupted")
    assert written["run_id"] == MANIFEST.run_id
    assert written["average_return"] is None
    assert written["random_average_return"] == 20.5


def test_an_earlier_result_is_replaced(finished: Path) -> None:
    """By that of the resumed run; no other file is left of it."""
    write(finished, "interrupted")
    assert write(finished, "max_train_steps")["status"] == "max_train_steps"
    assert {path.name for path in finished.iterdir()} == {
        "run.json",
        "eval",
        "result.json",
    }
