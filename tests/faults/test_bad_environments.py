"""Environments that crash now and then do not keep a run from learning (F18)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from experiment import run_dir
from experiment.presets import DEFAULT_PRESET, PRESETS
from tests.faults import faulty_environments
from tests.faults.conftest import Run
from tests.faults.running import Running

pytestmark = pytest.mark.slow

_TASKS = (0, 1)


def test_a_run_learns_from_environments_that_crash(run: Run, tmp_path: Path) -> None:
    shutil.copy(faulty_environments.__file__, tmp_path)
    (tmp_path / "faulty.gin").write_text(
        f"import faulty_environments\ninclude '{PRESETS / DEFAULT_PRESET}'\n"
        "Experiment.environment = @crashing_cartpole"
    )
    running = run("--num_actors=2", "--gin_file=faulty.gin", "--target_return=60")
    assert running.command.wait() == 0, running.command.output
    result = json.loads((running.folder / run_dir.RESULT).read_text())
    assert result["status"] == "target_reached"
    assert result["average_return"] >= 60
    assert sum(_failures(running, task) for task in _TASKS) > 0
    # The other actor may have taken few steps.
    assert any(
        running.logged(f"actor-{task}", "RuntimeError: a crash in") for task in _TASKS
    )
    assert "starting it again" not in running.command.output
    running.command.assert_nothing_is_left(timeout_s=1)


def _failures(running: Running, task: int) -> int:
    """Of the environments of an actor, as counted by the telemetry."""
    rows = running.rows("actor", task=task)
    return max((row.get("environment_failures", 0) for row in rows), default=0)
