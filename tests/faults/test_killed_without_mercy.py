"""Killed at the worst moment (F4), and all at once."""

from __future__ import annotations

import json
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
Row = dict[str, Any]

# A walk, whose average return is less than this if one episode of 10 ends in a fall.
CLIFF = CHECKOUT / "examples" / "cliff" / "cliff.gin"
NO_FALL = -12.0

# Train steps, and transitions of each server: what begins anew has none at first.
ENOUGH = 200


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
        # TensorFlow may have been killed before the first byte of its last file.
        damaged = folder.glob("damaged-*.index")
        assert all(path.stat().st_size == 0 for path in damaged)
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
    running.wait(lambda: running.before_the_end("learner", _train_step, lost_s) > 0)
    pids = running.kill_all()
    train_step = running.before_the_end("learner", _train_step, lost_s)
    size = running.before_the_end("reverb_server", _size, lost_s)

    resumed = Running(
        launch("--root_dir=run", "--resume", *WITHOUT_END), running.folder
    )
    restored = {
        role: _first_of_others(resumed, role, figure, pids)
        for role, figure in (
            ("eval_job", _average_return),
            ("learner", _train_step),
            ("reverb_server", _size),
        )
    }
    assert restored["learner"] >= train_step
    assert restored["reverb_server"] >= size
    assert restored["eval_job"] >= NO_FALL
    resumed.wait_until_well()


def test_a_run_with_two_replay_servers_of_which_all_was_killed_reaches_its_end(
    run: Run, launch: Callable[..., Command]
) -> None:
    """Learner and both servers go on from one snapshot interval before."""
    running = run("--num_replay_servers=2")
    # The interval of 3 s; it once more for a server that was killed before it had kept
    # what the others had; and what it takes to write and to tell.
    lost_s = 3 + 3 + 6
    figures = {
        "learner": _train_step,
        "reverb_server": _own_size,
        "replay_shard": _size,
    }

    def stored() -> dict[str, int]:
        """What must not be lost any longer."""
        return {
            role: running.before_the_end(role, figure, lost_s)
            for role, figure in figures.items()
        }

    running.wait(lambda: min(stored().values()) >= ENOUGH)
    pids = running.kill_all()
    before = stored()
    end = running.before_the_end("learner", _train_step, 0.0) + 800

    resumed = Running(
        launch("--root_dir=run", "--resume", f"--max_train_steps={end}"),
        running.folder,
    )
    for role, figure in figures.items():
        assert _first_of_others(resumed, role, figure, pids) >= before[role], role
    assert resumed.command.wait() == 0, resumed.command.output
    resumed.command.assert_nothing_is_left()
    result = json.loads((resumed.folder / run_dir.RESULT).read_text())
    assert result["status"] == "max_train_steps"
    assert result["train_step"] >= end
    assert "starting it again" not in resumed.command.output
    last = {resumed.snapshots()[-1], resumed.snapshots(1)[-1]}
    assert last == {resumed.checkpoints()[-1]} == {result["train_step"]}


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


def _train_step(row: Row) -> int | None:
    return row.get("train_step")


def _average_return(row: Row) -> float | None:
    return row.get("average_return")


def _size(row: Row) -> int | None:
    return row.get("replay_size")


def _own_size(row: Row) -> int | None:
    """Of the first of several servers, whose row counts the further ones too."""
    size = row.get("replay_size")
    return None if size is None else size - sum(row["shard_env_steps"])


def _first_of_others(
    running: Running, role: str, figure: Callable[[Row], Any], pids: set[int]
) -> Any:
    """The first figure that a process which is none of these sends; waits for it."""

    def found() -> list[Any]:
        rows = [row for row in running.rows(role) if row["pid"] not in pids]
        return [figure(row) for row in rows if figure(row) is not None]

    running.wait(found)
    return found()[0]
