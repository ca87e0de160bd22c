"""Environments that crash, stall, leak or give no numbers (F18, F20)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
import tensorflow as tf

from experiment import run_dir
from experiment.presets import DEFAULT_PRESET, PRESETS
from tests.faults import faulty_environments
from tests.faults.conftest import Run
from tests.faults.running import UNHURRIED, Running

pytestmark = pytest.mark.slow

Faulty = Callable[..., Running]


@pytest.fixture
def faulty(run: Run, tmp_path: Path) -> Faulty:
    """Starts a run with an environment of faulty_environments.py."""

    def _faulty(bindings: str, *flags: str, preset: Path = UNHURRIED) -> Running:
        shutil.copy(faulty_environments.__file__, tmp_path)
        (tmp_path / "faulty.gin").write_text(
            f"import faulty_environments\ninclude '{preset}'\n{bindings}"
        )
        return run("--gin_file=faulty.gin", *flags)

    return _faulty


def _failures(running: Running) -> int:
    """Of the environments of all actors, as counted by the telemetry."""
    counts = [running.rows("actor", task=task) for task in (0, 1)]
    return sum(
        max((row.get("environment_failures", 0) for row in rows), default=0)
        for rows in counts
    )


def _one_logged(running: Running, line: str) -> bool:
    """Whether one actor did; the other may have taken few steps."""
    return any(running.logged(name, line) for name in ("actor-0", "actor-1"))


def test_a_run_learns_from_environments_that_crash(faulty: Faulty) -> None:
    running = faulty(
        "Experiment.environment = @crashing_cartpole",
        "--target_return=60",
        preset=PRESETS / DEFAULT_PRESET,
    )
    assert running.command.wait() == 0, running.command.output
    result = json.loads((running.folder / run_dir.RESULT).read_text())
    assert result["status"] == "target_reached"
    assert result["average_return"] >= 60
    assert _failures(running) > 0
    assert _one_logged(running, "RuntimeError: a crash in")
    assert "starting it again" not in running.command.output
    running.command.assert_nothing_is_left(timeout_s=1)


@pytest.mark.parametrize("what", ["observation", "reward"])
def test_numbers_that_are_none_do_not_reach_the_weights(
    what: str, faulty: Faulty
) -> None:
    running = faulty(
        "unhurried_environment.environment = @poisonous_cartpole\n"
        f"poisonous_cartpole.what = '{what}'\n"
        "poisonous_cartpole.p_step = 0.005"
    )
    running.wait(lambda: _failures(running) > 5)
    running.wait_until_well()
    running.wait(running.checkpoints)
    folder = running.folder / run_dir.CHECKPOINTS
    reader = tf.train.load_checkpoint(str(folder / f"ckpt-{running.checkpoints()[-1]}"))
    weights = [
        reader.get_tensor(name)
        for name, dtype in reader.get_variable_to_dtype_map().items()
        if dtype.is_floating
    ]
    assert weights
    assert all(np.isfinite(each).all() for each in weights)
    assert _one_logged(running, f"the {what} is not finite (nan")
    assert "starting it again" not in running.command.output


def test_an_actor_whose_environment_stalls_is_replaced(
    faulty: Faulty, tmp_path: Path
) -> None:
    """And the user is told that it is the environment."""
    running = faulty(
        "unhurried_environment.environment = @on_demand_cartpole\n"
        "Collect.environment_timeout_s = 3"
    )
    running.wait_until_well()
    before = running.process("actor", task=1).pid
    (tmp_path / "stall").touch()
    running.wait(lambda: "actor-1 failed" in running.command.output)
    (tmp_path / "stall").unlink()
    assert running.logged("actor-1", "of actor 1 has been in step() for")
    assert _lines(running, "of actor 1 has been in step() for"), running.command.output
    running.wait_until_replaced("actor", 1, before)
    running.wait_until_well()


def test_an_actor_whose_environment_leaks_is_recycled(
    faulty: Faulty, tmp_path: Path
) -> None:
    running = faulty(
        "unhurried_environment.environment = @on_demand_cartpole\n"
        "on_demand_cartpole.mb_per_reset = 20"
    )
    running.wait_until_well()
    before = running.process("actor", task=1).pid
    (tmp_path / "leak").touch()
    running.wait(lambda: "actor-1 failed with exit code 75" in running.command.output)
    (tmp_path / "leak").unlink()
    [said] = _lines(running, "actor-1 failed")
    assert "starting it again in 0 s" in said
    assert running.logged("actor-1", "it ends, to be started afresh")
    running.wait_until_replaced("actor", 1, before)
    running.wait_until_well()
    assert running.rows("actor", task=1)[-1]["memory_mb"] < 1_024


def _lines(running: Running, text: str) -> list[str]:
    return [line for line in running.command.output.splitlines() if text in line]
