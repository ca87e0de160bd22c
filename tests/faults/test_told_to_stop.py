"""Roles stop when told to, whatever they wait for (F17).

Whole runs (F14, F15): tests/bad_input/test_resume.py goes on with what they store.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Callable

import pytest

from experiment.process import GRACE_S
from tests.faults.by_hand import ByHand
from tests.system.commands import Command

pytestmark = pytest.mark.slow

Role = Callable[..., Command]


def test_roles_that_wait_for_others_stop_when_told_to(
    role: Role, tmp_path: Path
) -> None:
    """For weights, or for experience; for anybody at all: test_missing.py."""
    no_learner = ByHand(role, tmp_path, name="no_learner")
    waiting = [no_learner.join("actor"), no_learner.join("eval_job")]
    no_actor = ByHand(role, tmp_path, name="no_actor")
    waiting.append(no_actor.join("learner"))
    running = no_learner.running
    running.wait(lambda: len(running.rows("actor")) > 1)
    running.wait(lambda: running.count("reverb_server", "env_steps"))
    running.wait(lambda: len(running.rows("eval_job")) > 1)
    running = no_actor.running
    running.wait(lambda: running.count("learner", "train_step") == 0)
    servers = [no_learner.server, no_actor.server]
    for group in (waiting, servers):
        for command in group:
            command.send(signal.SIGTERM)
        for command in group:
            assert command.wait(2 * GRACE_S) == 143, command.output
            command.assert_nothing_is_left(timeout_s=1)
