"""Killed at the worst moment (F4), and all at once."""

from __future__ import annotations

import functools
import signal
from pathlib import Path
from typing import Any, Callable

import pytest

from eval_job import returns_file
from experiment import run_dir
from tests.faults.by_hand import ByHand
from tests.faults.conftest import Run
from tests.faults.running import WITHOUT_END, Running
from tests.system.commands import CHECKOUT, Command

pytestmark = pytest.mark.slow

Role = Callable[..., Command]

# A walk, whose average return is less than this if one episode of 10 ends in a fall.
CLIFF = CHECKOUT / "examples" / "cliff" / "cliff.gin"
NO_FALL = -12.0


def test_a_learner_killed_while_it_saves_goes_on_from_the_last_whole_checkpoint(
    role: Role, tmp_path: Path
) -> None:
    """First while the weights are written, then while the replay table is."""
    run = ByHand(role, tmp_path, "--gin_bindings=Train.checkpoint_interval_s = 0.01")
    run.join("actor")
    folder = run.running.folder / run_dir.CHECKPOINTS
    written = [
        lambda: list(folder.glob("ckpt-*_temp*")),
        lambda: list((run.running.folder / run_dir.REPLAY_DIR / "reverb").iterdir()),
    ]
    stored = 0
    for number in range(len(written) + 1):
        half_written = list(folder.glob("ckpt-*_temp*"))
        learner = run.join("learner")
        if number:
            said = f"the newest checkpoint is of train step {stored}"
            run.running.wait(lambda: said in learner.output)  # noqa: B023
            assert not any(path.exists() for path in half_written)
        run.running.wait(lambda: run.running.checkpoints()[-1:] > [stored])  # noqa: B023
        assert "damaged" not in learner.output
        if number < len(written):
            run.running.wait(written[number])
            learner.send(signal.SIGKILL)
            learner.wait()
            stored = run.running.checkpoints()[-1]


def test_a_run_of_which_all_was_killed_goes_on(
    run: Run, launch: Callable[..., Command]
) -> None:
    """From one snapshot interval before, with a policy that is as good.

    The task is one whose policy stays good once it is: CartPole's goes up and down.
    """
    running = run(
        f"--gin_file={CLIFF}",
        "--gin_bindings=Train.checkpoint_interval_s = 3",
        "--gin_bindings=Train.jit_compile = False",
    )
    running.wait(lambda: _is_learned(running))
    lost_s = 3 + 3  # The interval, and what it takes to write and to tell.
    running.wait(lambda: _before_the_end(running, "learner", "train_step", lost_s) > 0)
    killed = running.command.processes()
    for process in killed:
        process.send_signal(signal.SIGKILL)
    assert running.command.wait(30) == -signal.SIGKILL
    running.command.assert_nothing_is_left(timeout_s=15)
    train_step = _before_the_end(running, "learner", "train_step", lost_s)
    size = _before_the_end(running, "reverb_server", "replay_size", lost_s)
    pids = {process.pid for process in killed}

    resumed = Running(
        launch("--root_dir=run", "--resume", *WITHOUT_END), running.folder
    )
    for role, figure in (
        ("eval_job", "average_return"),
        ("learner", "train_step"),
        ("reverb_server", "replay_size"),
    ):
        resumed.wait(functools.partial(_of_others, resumed, role, figure, pids))
    assert _of_others(resumed, "learner", "train_step", pids)[0] >= train_step
    assert _of_others(resumed, "reverb_server", "replay_size", pids)[0] >= size
    assert _of_others(resumed, "eval_job", "average_return", pids)[0] >= NO_FALL
    resumed.wait_until_well()


def _is_learned(running: Running) -> bool:
    """Whether the last evaluations, from before the newest snapshot on, had no fall."""
    returns = running.folder / run_dir.RETURNS
    snapshots = running.snapshots()
    if not returns.exists() or not snapshots:
        return False
    rows = returns_file.read(returns)[-5:]
    return rows[0].train_step < snapshots[-1] and all(
        row.average_return >= NO_FALL for row in rows
    )


def _before_the_end(running: Running, role: str, figure: str, seconds: float) -> int:
    """A figure so many seconds before the last row."""
    rows = [row for row in running.rows(role) if figure in row]
    until = rows[-1]["time"] - seconds
    return max((row[figure] for row in rows if row["time"] <= until), default=0)


def _of_others(running: Running, role: str, figure: str, pids: set[int]) -> list[Any]:
    """A figure as processes that are none of these have sent it."""
    return [
        row[figure]
        for row in running.rows(role)
        if row["pid"] not in pids and row.get(figure) is not None
    ]
