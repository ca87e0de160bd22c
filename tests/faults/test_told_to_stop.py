"""Runs and roles stop when told to, with all they have stored (F14, F15, F17)."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Callable

import pytest

from experiment import run_dir
from experiment.process import GRACE_S
from tests.faults.by_hand import ByHand
from tests.faults.conftest import Run
from tests.system.commands import Command

pytestmark = pytest.mark.slow

Role = Callable[..., Command]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_run_that_is_told_to_stop_stores_all_of_one_moment(
    number: signal.Signals, code: int, run: Run
) -> None:
    """Ctrl-C, and the signal before a machine is taken away."""
    running = run("--num_actors=1", "--gin_bindings=Train.checkpoint_interval_s = 1000")
    running.wait_until_well()
    running.command.send(number)
    # The launcher kills what is left by then; without a load it takes 5 s.
    assert running.command.wait(4 * GRACE_S) == code, running.command.output
    running.command.assert_nothing_is_left(timeout_s=1)
    assert running.checkpoints() == running.snapshots()
    [step] = running.snapshots()
    trained = max(row.get("train_step", 0) for row in running.rows("learner"))
    assert step >= trained > 0
    result = json.loads((running.folder / run_dir.RESULT).read_text())
    assert result["status"] == "interrupted"


def test_roles_that_wait_for_others_stop_when_told_to(
    role: Role, tmp_path: Path
) -> None:
    """For weights, for experience, for anybody at all."""
    no_learner = ByHand(role, tmp_path, name="no_learner")
    waiting = [no_learner.join("actor"), no_learner.join("eval_job")]
    no_actor = ByHand(role, tmp_path, name="no_actor")
    waiting.append(no_actor.join("learner"))
    nobody = ByHand(role, tmp_path, name="nobody")
    running = no_learner.running
    running.wait(lambda: len(running.rows("actor")) > 1)
    running.wait(lambda: running.count("reverb_server", "env_steps"))
    running.wait(lambda: len(running.rows("eval_job")) > 1)
    running = no_actor.running
    running.wait(lambda: running.count("learner", "train_step") == 0)
    nobody.running.wait(lambda: nobody.running.rows("reverb_server"))
    servers = [run.server for run in (no_learner, no_actor, nobody)]
    for group in (waiting, servers):
        for command in group:
            command.send(signal.SIGTERM)
        for command in group:
            assert command.wait(2 * GRACE_S) == 143, command.output
            command.assert_nothing_is_left(timeout_s=1)
