"""An actor that comes from elsewhere, and goes (F27)."""

from __future__ import annotations

import re
import signal
from typing import Callable

import pytest

from experiment.process import GRACE_S
from tests.faults.running import Running
from tests.system.commands import Command

pytestmark = pytest.mark.slow


def test_an_actor_joins_by_hand_and_leaves(
    endless: Running, role: Callable[..., Command]
) -> None:
    """It needs only the port, which the first line of the console shows."""
    endless.wait_until_well()
    pids = {process.pid for process in endless.command.processes()}
    [port] = re.findall(r" port (\d+)", endless.command.output.splitlines()[0])
    actor = role("actor", f"--server_address=localhost:{port}", "--task=7")
    endless.wait(lambda: "actor joined run" in actor.output)
    endless.wait(
        lambda: any(row.get("env_steps") for row in endless.rows("actor", task=7))
    )
    actor.send(signal.SIGTERM)
    assert actor.wait(2 * GRACE_S) == 143, actor.output
    actor.assert_nothing_is_left(timeout_s=1)
    endless.wait_until_well()
    assert pids == {process.pid for process in endless.command.processes()}
    assert "starting it again" not in endless.command.output
