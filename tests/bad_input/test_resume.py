"""Resumes that cannot be, or that change something (F24, B20, B21, B22, B30)."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import portpicker
import pytest

from experiment import run_dir
from tests.bad_input.conftest import Refuse
from tests.faults.running import ENDLESS, WITHOUT_END, Running, running_in
from tests.system.commands import Command

pytestmark = pytest.mark.slow

Launch = Callable[..., Command]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a run that was ended by Ctrl-C, with two replay snapshots."""
    with running_in(tmp_path_factory.mktemp("stored"), *ENDLESS) as running:
        running.wait(lambda: len(running.snapshots()) > 1)
        running.command.send(signal.SIGINT)
        assert running.command.wait() == 130
        yield running.folder


@pytest.fixture
def folder(stored: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(stored, tmp_path / "run", symlinks=True))


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


def _rows_of_the_resume(running: Running, number: int) -> list[dict[str, Any]]:
    """The server's rows after the first so many."""
    return running.rows("reverb_server")[number:]


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


def test_another_algorithm_is_refused(
    folder: Path, launch: Launch, tmp_path: Path
) -> None:
    """Though its weights are the same."""
    (tmp_path / "mine.py").write_text(OTHER_AGENT)
    flags = ["import mine", "Experiment.agent = @my_agent"]
    command = launch(
        "--root_dir=run", "--resume", *(f"--gin_bindings={flag}" for flag in flags)
    )
    assert command.wait() == 2, command.output
    last = command.output.splitlines()[-1]
    assert "Experiment.agent was @dqn_agent, is @my_agent" in last
    command.assert_nothing_is_left(timeout_s=1)


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


def test_lost_experience_is_not_gone_on_without(folder: Path, launch: Launch) -> None:
    """Unless one says so; then the steps are counted on."""
    for snapshot in _newest_snapshots(folder):
        _truncate(snapshot)
    command = launch("--root_dir=run", "--resume", *WITHOUT_END)
    assert command.wait() == 2, command.output
    last = command.output.splitlines()[-1]
    assert last.endswith("go on with an empty table by --resume --discard_replay.")
    command.assert_nothing_is_left(timeout_s=1)

    env_steps, rows = _env_steps(folder), len(_rows(folder))
    command = launch("--root_dir=run", "--resume", "--discard_replay", *WITHOUT_END)
    running = Running(command, folder)
    running.wait_until_well()
    first = _rows_of_the_resume(running, rows)[0]
    assert running.logged(
        "reverb_server", "the replay table begins empty, as asked for"
    )
    # Actors may have been quicker than the row.
    assert first["env_steps"] == env_steps + first["replay_size"]


def _rows(folder: Path) -> list[str]:
    lines = (folder / run_dir.METRICS).read_text().splitlines()
    return [line for line in lines if json.loads(line)["role"] == "reverb_server"]


def test_a_damaged_snapshot_is_passed_over(folder: Path, launch: Launch) -> None:
    """Loudly: the one before it is restored."""
    newest, before = _newest_snapshots(folder)
    _truncate(newest)
    running = Running(launch("--root_dir=run", "--resume", *WITHOUT_END), folder)
    running.wait_until_well()
    assert running.logged("reverb_server", f"the replay snapshot {newest} is damaged")
    assert running.logged(
        "reverb_server", f"of the replay table, of train step {int(before.name)}"
    )


def test_what_a_resume_changes_is_applied_and_said(
    folder: Path, launch: Launch
) -> None:
    rows = len(_rows(folder))
    command = launch(
        "--root_dir=run",
        "--resume",
        *WITHOUT_END,
        "--gin_bindings=dqn_agent.learning_rate = 1e-4",
        "--gin_bindings=Replay.samples_per_insert = 16",
        "--gin_bindings=Replay.max_size = 5_000",
    )
    running = Running(command, folder)
    running.wait_until_well()
    for change in (
        "dqn_agent.learning_rate was 0.0023, is 0.0001",
        "Replay.samples_per_insert was 32, is 16",
        "Replay.max_size was 100000, is 5000",
    ):
        assert f"changed by this resume: {change}" in command.output
    assert running.logged("learner", "learning rate: 0.0001, not 0.0023 as stored")
    row = _rows_of_the_resume(running, rows)[-1]
    assert row["replay_max_size"] == 5_000


def test_another_number_of_actors_is_applied_and_said(
    folder: Path, launch: Launch
) -> None:
    """It is a flag with a default, so it may change by chance."""
    command = launch("--root_dir=run", "--resume", *WITHOUT_END, "--num_actors=3")
    running = Running(command, folder)
    running.wait(lambda: running.rows("actor", task=2))
    running.wait_until_well()
    line = "changed by this resume: --num_actors was 2, is 3"
    assert line in command.output
