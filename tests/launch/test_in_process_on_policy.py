"""launch/in_process.py with an on-policy agent: a batch of new windows, an update."""

from __future__ import annotations

import contextlib
from pathlib import Path

from launch.in_process import InProcessRun
from tests.launch.a_run import options

# Windows of a batch, transitions of a window, gradient steps for a batch.
ENVS, LENGTH, STEPS = 8, 32, 20


def test_a_run_learns_from_its_newest_windows_only(tmp_path: Path) -> None:
    """Each update follows a window of each environment, and returns become better."""
    given = options(
        tmp_path,
        num_actors=1,
        gin_file="ppo_cartpole.gin",
        gin_bindings=[
            f"Collect.envs_per_actor = {ENVS}",
            f"Replay.batch_size = {ENVS}",
            "Train.jit_compile = False",
        ],
        in_process=True,
    )
    run = InProcessRun(given, lambda: True)
    with contextlib.closing(run):
        while run.trainer.train_step < 30 * STEPS:
            before = run.trainer.train_step
            collected = run.collector.transitions
            run.take_turn()
            is_batch = run.collector.transitions - collected == ENVS * LENGTH
            assert run.trainer.train_step - before == (STEPS if is_batch else 0)
        figures = run.trainer.figures()
        assert figures["policy_lag"] == figures["dropped_windows"] == 0
        # The random policy gets about 22.
        assert run.collector.average_return is not None
        assert run.collector.average_return > 50
