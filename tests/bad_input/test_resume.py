"""Runs that were told to stop (F14, F15), and how they go on.

Or why they cannot, and what a resume changes (F24, B20, B21, B22, B30).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import portpicker
import pytest

from experiment import run_dir
from experiment.process import GRACE_S
from tests.bad_input.conftest import Refuse
from tests.faults.running import ENDLESS, WITHOUT_END, Running, running_in
from tests.system.commands import Command

pytestmark = pytest.mark.slow

Launch = Callable[..., Command]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A run that was ended by Ctrl-C, with two replay snapshots."""
    with running_in(tmp_path_factory.mktemp("stored"), *ENDLESS) as running:
        running.wait(lambda: len(running.snapshots()) > 1)
        _stop(running, signal.SIGINT)
        yield running


@pytest.fixture(scope="module")
def changed(
    stored: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A resume of it without its newest snapshot, and with other settings."""
    folder = tmp_path_factory.mktemp("changed")
    shutil.copytree(stored.folder, folder / "run", symlinks=True)
    _truncate(_newest_snapshots(folder / "run")[0])
    flags = (
        "--resume",
        *WITHOUT_END,
        "--num_actors=2",
        "--gin_bindings=dqn_agent.learning_rate = 1e-4",
        "--gin_bindings=Replay.samples_per_insert = 16",
        "--gin_bindings=Replay.max_size = 5_000",
    )
    with running_in(folder, *flags) as running:
        running.wait(lambda: running.rows("actor", task=1))
        running.wait_until_well()
        yield running


@pytest.fixture
def folder(stored: Running, tmp_path: Path) -> Path:
    """A copy of what it has stored, for one test."""
    return Path(shutil.copytree(stored.folder, tmp_path / "run", symlinks=True))


@pytest.fixture
def refuse_resume(refuse: Refuse, folder: Path) -> Refuse:
    """The server of a resume is refused, and nothing in the folder has changed."""

    def _refuse(*flags: str) -> str:
        before = _contents(folder)
        port = portpicker.pick_unused_port()
        message = refuse(
            "reverb_server", "--root_dir=run", f"--port={port}", "--resume", *flags
        )
        assert _contents(folder) == before
        return message

    return _refuse


def _stop(running: Running, number: signal.Signals) -> None:
    """Tells a run to stop; it leaves no process."""
    running.command.send(number)
    # The launcher ends by force after 4 graces; without a load it takes 5 s.
    code = running.command.wait(4 * GRACE_S + 20)
    assert code == 128 + number, running.command.output
    running.command.assert_nothing_is_left(timeout_s=1)


def _contents(folder: Path) -> dict[Path, int]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.stat().st_mtime_ns for path in files}


def _newest_snapshots(folder: Path) -> list[Path]:
    """Newest first."""
    return sorted((folder / run_dir.REPLAY_DIR / "snapshots").glob("[0-9]*"))[::-1]


def _truncate(snapshot: Path) -> None:
    chunks = snapshot / "chunks.tfrecord"
    os.truncate(chunks, chunks.stat().st_size // 2)


def _env_steps(folder: Path) -> int:
    return int(run_dir.last_row(folder, "reverb_server")["env_steps"])


def test_ctrl_c_stores_all_of_one_moment(stored: Running) -> None:
    stored.assert_interrupted()


@pytest.mark.parametrize(
    ("binding", "was", "now"),
    [
        pytest.param(
            "q_network.layers = (32,)",
            "q_network.layers was (16,), is (32,)",
            "the weights would be float32[4, 32]",
            id="network",
        ),
        pytest.param(
            "gym_environment.name = 'Acrobot-v1'",
            "gym_environment.name was 'CartPole-v1', is 'Acrobot-v1'",
            "start a new run in another --root_dir",
            id="environment",
        ),
    ],
)
def test_what_was_learned_of_something_else_is_refused(
    binding: str, was: str, now: str, refuse_resume: Refuse
) -> None:
    message = refuse_resume(f"--gin_bindings={binding}")
    assert was in message
    assert now in message


def test_another_algorithm_is_refused(refuse_resume: Refuse, tmp_path: Path) -> None:
    """Though its weights are the same."""
    (tmp_path / "mine.py").write_text(OTHER_AGENT)
    flags = ["import mine", "Experiment.agent = @my_agent"]
    message = refuse_resume(*(f"--gin_bindings={flag}" for flag in flags))
    assert "Experiment.agent was @dqn_agent, is @my_agent" in message


OTHER_AGENT = """
import gin
from experiment.agents import dqn_agent

@gin.configurable
def my_agent(*arguments):
    return dqn_agent(*arguments)
"""


def test_a_folder_of_another_run_is_refused_by_its_name(
    refuse: Refuse, folder: Path
) -> None:
    run_id = json.loads((folder / run_dir.MANIFEST).read_text())["run_id"]
    before = _contents(folder)
    assert f"holds the run {run_id} already" in refuse("launch", "--root_dir=run")
    assert _contents(folder) == before


def test_a_foreign_file_in_reverbs_folder_is_not_deleted(
    refuse_resume: Refuse, folder: Path
) -> None:
    foreign = folder / run_dir.REPLAY_DIR / "reverb" / "notes.txt"
    foreign.write_text("mine")
    assert "holds notes.txt, which is no checkpoint of Reverb" in refuse_resume()
    assert foreign.read_text() == "mine"


def test_lost_experience_is_not_gone_on_without(
    refuse_resume: Refuse, folder: Path
) -> None:
    for snapshot in _newest_snapshots(folder):
        _truncate(snapshot)
    message = refuse_resume()
    assert message.endswith("go on with an empty table by --resume --discard_replay.")


def test_an_empty_table_is_gone_on_with_if_one_says_so(
    folder: Path, launch: Launch
) -> None:
    """The steps are counted on; and SIGTERM stores all of one moment."""
    for snapshot in _newest_snapshots(folder):
        _truncate(snapshot)
    env_steps, rows = _env_steps(folder), len(_rows(folder))
    command = launch(
        "--root_dir=run",
        "--resume",
        "--discard_replay",
        *WITHOUT_END,
        "--gin_bindings=Train.checkpoint_interval_s = 1000",
    )
    running = Running(command, folder)
    running.wait_until_well()
    first = running.rows("reverb_server")[rows]
    assert running.logged(
        "reverb_server", "the replay table begins empty, as asked for"
    )
    # Actors may have been quicker than the row.
    assert first["env_steps"] == env_steps + first["replay_size"]
    assert running.snapshots() == []
    _stop(running, signal.SIGTERM)
    assert len(running.snapshots()) == 1
    running.assert_interrupted()


def _rows(folder: Path) -> list[str]:
    lines = (folder / run_dir.METRICS).read_text().splitlines()
    return [line for line in lines if json.loads(line)["role"] == "reverb_server"]


def test_a_damaged_snapshot_is_passed_over(stored: Running, changed: Running) -> None:
    """Loudly: the one before it is restored."""
    newest, before = (path.name for path in _newest_snapshots(stored.folder))
    damaged = changed.folder / run_dir.REPLAY_DIR / "snapshots" / newest
    assert changed.logged("reverb_server", f"the replay snapshot {damaged} is damaged")
    assert changed.logged(
        "reverb_server", f"of the replay table, of train step {int(before)}"
    )


def test_what_a_resume_changes_is_applied_and_said(changed: Running) -> None:
    """The number of actors too: it is a flag with a default, so it may by chance."""
    for change in (
        "dqn_agent.learning_rate was 0.0023, is 0.0001",
        "Replay.samples_per_insert was 32, is 16",
        "Replay.max_size was 100000, is 5000",
        "--num_actors was 1, is 2",
    ):
        assert f"changed by this resume: {change}" in changed.command.output
    assert changed.logged("learner", "learning rate: 0.0001, not 0.0023 as stored")
    assert changed.rows("reverb_server")[-1]["replay_max_size"] == 5_000
    assert changed.rows("actor", task=1)
