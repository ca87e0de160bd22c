"""A whole run of PPO: no more is trained on than was collected; the dead are replaced.

That each window is used once: tests/learner/test_window_queue.py.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any, Callable

from tests.faults.running import WITHOUT_END, Running
from tests.system.commands import Command

# What an update is made of: windows, transitions of each, gradient steps.
WINDOWS, LENGTH, STEPS = 16, 32, 20

SMALL = (
    "--gin_file=ppo_cartpole.gin",
    f"--gin_bindings=Replay.batch_size = {WINDOWS}",
    "--gin_bindings=Train.checkpoint_interval_s = 3",
)


def rows(running: Running, role: str, since: float) -> list[dict[str, Any]]:
    """Those with a train step that were sent after a time."""
    sent = [row for row in running.rows(role) if row["time"] > since]
    return [row for row in sent if "train_step" in row]


def test_ppo_survives_a_killed_actor_and_goes_on_where_it_was(
    launch: Callable[..., Command], tmp_path: Path
) -> None:
    """Actors and learner wait for each other, but not for the dead."""
    first = Running(launch("--root_dir=run", *WITHOUT_END, *SMALL), tmp_path / "run")
    first.wait_until_well()
    killed = first.kill("actor", task=1)
    first.wait_until_replaced("actor", 1, killed)
    first.wait_until_well()
    first.command.send(signal.SIGTERM)
    assert first.command.wait() == 143, first.command.output
    stored = first.checkpoints()[-1]
    assert stored % STEPS == 0

    again = Running(launch("--root_dir=run", *WITHOUT_END, "--resume"), first.folder)
    since = time.time()
    again.wait_until_well()
    again.command.send(signal.SIGTERM)
    assert again.command.wait() == 143, again.command.output
    again.command.assert_nothing_is_left()
    steps = [row["train_step"] for row in rows(again, "learner", since)]
    assert steps[0] >= stored
    env_steps = rows(again, "reverb_server", since)[-1]["env_steps"]
    assert steps[-1] // STEPS * WINDOWS * LENGTH <= env_steps
