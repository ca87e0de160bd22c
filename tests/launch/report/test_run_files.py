"""launch/report/run_files.py: a run's folder, whatever is missing in it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from experiment import run_dir
from experiment.errors import ConfigurationError
from launch.report import events, run_files
from tests.launch.report import a_folder


def test_a_run_that_was_killed_has_broken_off(tmp_path: Path) -> None:
    """All that it left is there."""
    run = run_files.read(a_folder.make(tmp_path))
    assert run.status == "broken off"
    assert run.target == 475
    assert len(run.returns) == 6
    assert run.baseline is not None
    assert run.faults[0].role == "actor-1"
    assert (run.train_step, run.env_steps) == (5_800, 17_400)
    assert run.wall_time_s == 60.0


def test_a_run_whose_folder_is_in_use_is_running(tmp_path: Path) -> None:
    lock = run_dir.lock(a_folder.make(tmp_path))
    try:
        assert run_files.read(tmp_path).status == "running"
    finally:
        os.close(lock)
    assert run_files.read(tmp_path).status == "broken off"


def test_looking_at_a_run_makes_nothing(tmp_path: Path) -> None:
    """Not in its folder, which may be one that cannot be written."""
    before = sorted(a_folder.make(tmp_path).rglob("*"))
    run_files.read(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_to_a_run_is_that_run(tmp_path: Path) -> None:
    """`runs/latest` is another one tomorrow."""
    folder = a_folder.make(tmp_path / "run")
    (tmp_path / "latest").symlink_to("run")
    assert run_files.read(tmp_path / "latest").root_dir == folder


def test_a_result_tells_how_a_run_has_ended(tmp_path: Path) -> None:
    a_folder.finish(a_folder.make(tmp_path))
    run = run_files.read(tmp_path)
    assert run.status == "target_reached"
    assert run.wall_time_s == 65.25


def test_a_copied_run_has_ended_as_well(tmp_path: Path) -> None:
    """A copy's files have new times, in any order."""
    a_folder.finish(a_folder.make(tmp_path / "run"))
    copy = shutil.copytree(tmp_path / "run", tmp_path / "copy")
    (copy / "run.json").touch()
    assert run_files.read(copy).status == "target_reached"


def test_the_result_of_a_run_that_was_resumed_since_is_not_its_own(
    tmp_path: Path,
) -> None:
    a_folder.finish(a_folder.make(tmp_path))
    long_ago = a_folder.STARTED_AT
    os.utime(tmp_path / "result.json", (long_ago, long_ago))
    run = run_files.read(tmp_path)
    assert run.status == "broken off"
    assert run.result == {}


def test_processes_started_by_hand_leave_the_row_of_their_end(tmp_path: Path) -> None:
    ended = a_folder.row("run", 30, status="max_train_steps", train_step=2_016)
    rows = [a_folder.row("learner", 28, train_step=2_000), ended]
    a_folder.write_metrics(a_folder.make(tmp_path), rows)
    run = run_files.read(tmp_path)
    assert run.status == "max_train_steps"
    assert run.train_step == 2_016


def test_a_run_that_goes_on_after_its_end_has_not_ended(tmp_path: Path) -> None:
    """It was resumed 10 s later, and killed before its next row of the end."""
    at = a_folder.STARTED_AT
    a_folder.make(tmp_path, started_at=at + 10, pauses=[[at + 30, at + 40]])
    ended = a_folder.row("run", 30, status="interrupted", train_step=2_016)
    a_folder.write_metrics(tmp_path, [a_folder.row("learner", 50, train_step=9), ended])
    run = run_files.read(tmp_path)
    assert (run.status, run.train_step) == ("broken off", 9)
    assert run.wall_time_s == 60


@pytest.mark.parametrize(
    "missing",
    ["metrics.jsonl", "eval", "eval/random_policy.csv", "config.gin", "faults.jsonl"],
)
def test_what_is_missing_is_left_out(tmp_path: Path, missing: str) -> None:
    path = a_folder.make(tmp_path) / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    run = run_files.read(tmp_path)
    assert run.target == 475
    assert run.wall_time_s > 0


def test_what_is_cut_off_is_left_out(tmp_path: Path) -> None:
    """A line of any file, and a result that a full disk cut."""
    a_folder.make(tmp_path)
    for name in ("faults.jsonl", "metrics.jsonl", "eval/returns.csv", "result.json"):
        with (tmp_path / name).open("a") as file:
            file.write('{"role": 5000,1')
    run = run_files.read(tmp_path)
    assert (len(run.faults), len(run.returns), run.result) == (1, 6, {})


@pytest.mark.parametrize(
    "changes",
    [{"time": "now"}, {"time": None}, {"exit_code": "x"}, {"lived_s": []}, {"role": 1}],
)
def test_faults_of_another_form_do_no_harm(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    """Their times, say, are drawn."""
    known = {"time": a_folder.STARTED_AT, "role": "actor-1", "exit_code": 1}
    row = {**known, "lived_s": 2.0, "restart_in_s": None, **changes}
    (a_folder.make(tmp_path) / "faults.jsonl").write_text(json.dumps(row))
    assert len(events.of(run_files.read(tmp_path))) == ("role" in changes)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no run") as raised:
        run_files.read(tmp_path)
    assert str(tmp_path) in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"run_id": 1}', '{"new": 1}'])
def test_a_broken_manifest_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (a_folder.make(tmp_path) / "run.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"run\.json is not the manifest"):
        run_files.read(tmp_path)


def test_no_target_is_none(tmp_path: Path) -> None:
    folder = a_folder.make(tmp_path)
    (folder / "config.gin").write_text("Evaluation.target_return = None\n")
    assert run_files.read(tmp_path).target is None


def test_the_usual_rate_is_that_of_a_run_that_moves(tmp_path: Path) -> None:
    """Before and after it, nothing is inserted."""
    rates = [0.0, 0.0, 0.0, 100.0, 300.0, 200.0, 0.0, 0.0]
    rows = [
        a_folder.row("reverb_server", n, env_steps_per_s=rate)
        for n, rate in enumerate(rates)
    ]
    a_folder.write_metrics(a_folder.make(tmp_path), rows)
    run = run_files.read(tmp_path)
    assert run.usual_rate("reverb_server", "env_steps_per_s") == 200
    assert run.usual_rate("learner", "updates_per_s") is None
