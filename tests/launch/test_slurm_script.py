"""launch/slurm.sbatch, with other programs in the place of Slurm's and the launcher.

On a real Slurm: tests/system/test_slurm.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.launch.a_run import CHECKOUT

# In the place of the launcher: notes its flags, comes to the end of the run or not, and
# ends some time after the actors, or when it is told to.
_LAUNCHER = """
printf '%s\\n' "$@" >launched
trap 'exit 143' TERM
mkdir -p run
[[ ! -e ends ]] || touch run/end.npz
touch launcher-is-ready
while [[ -e takes-long || ! -e actors-have-ended ]]; do sleep 0.05; done
[[ ! -e ends ]] || for ((i = 0; i < 20; i++)); do sleep 0.05; done
"""

# In the place of the actors of all nodes: ends with this code.
_SRUN = """
while [[ ! -e launcher-is-ready ]]; do sleep 0.05; done
touch actors-have-ended
exit "$(<actors-code)"
"""

# The job is started again, so Slurm ends the script.
_SCONTROL = 'echo "$@" >>requeued; kill -KILL $PPID'

_PROGRAMS = {
    "srun": _SRUN,
    "scontrol": _SCONTROL,
    "squeue": "echo RUNNING",
    "scancel": "",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout with the script, and with these programs."""
    (tmp_path / "launch").mkdir()
    (tmp_path / "bin").mkdir()
    programs = {f"bin/{name}": text for name, text in _PROGRAMS.items()}
    for name, text in {**programs, "launch/local.sh": _LAUNCHER}.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    copied = Path(shutil.copy(CHECKOUT / "launch" / "slurm.sbatch", tmp_path))
    copied.write_text(copied.read_text().replace("END_S=20", "END_S=1"))
    return tmp_path


def run(
    folder: Path, *flags: str, nodes: int = 2, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs it to its end, as Slurm would with two tasks on each node."""
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "7",
        "SLURM_SUBMIT_DIR": str(folder),
        "SLURM_NNODES": str(nodes),
        "SLURM_NTASKS_PER_NODE": "2",
        **variables,
    }
    return subprocess.run(
        ["bash", folder / "slurm.sbatch", *flags],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def end_of(folder: Path, actors_code: int) -> subprocess.CompletedProcess[str]:
    """Runs it with actors of which the highest exit code is this."""
    (folder / "actors-code").write_text(str(actors_code))
    return run(folder, "--root_dir=run")


def launched(folder: Path, *flags: str, **options: str) -> list[str]:
    """The flags that the launcher gets on one node, without actors elsewhere."""
    (folder / "actors-have-ended").touch()
    ended = run(folder, "--root_dir=run", *flags, nodes=1, **options)
    assert ended.returncode == 0, ended.stderr
    return (folder / "launched").read_text().splitlines()


@pytest.mark.parametrize("actors_code", [0, 1, 137, 143])
def test_a_run_that_has_ended_is_not_failed_by_an_actor_that_was_lost(
    actors_code: int, folder: Path
) -> None:
    """The launcher may judge and film to its end; nobody starts the job again."""
    (folder / "ends").touch()
    ended = end_of(folder, actors_code)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not (folder / "requeued").exists()


@pytest.mark.parametrize("actors_code", [1, 2, 137])
def test_a_run_without_actors_fails(actors_code: int, folder: Path) -> None:
    """It would wait for experience until somebody sees it."""
    (folder / "takes-long").touch()
    ended = end_of(folder, actors_code)
    assert ended.returncode == 2
    assert ended.stderr == "slurm.sbatch: all actors have ended, see run/logs.\n"
    assert not (folder / "requeued").exists()


def test_a_job_whose_actors_were_told_to_end_is_started_again(folder: Path) -> None:
    """Somebody else is given the nodes."""
    (folder / "takes-long").touch()
    assert end_of(folder, 143).returncode == -signal.SIGKILL
    assert (folder / "requeued").read_text() == "requeue 7\n"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--root_dir", "/data/x"], "--root_dir: write --root_dir=VALUE."),
        (["--root_dir="], "--root_dir=: write --root_dir=VALUE."),
        (["--gin_file", "x.gin"], "--gin_file: write --gin_file=VALUE."),
        (["--seed", "3"], "--seed: write --seed=VALUE."),
        (["-seed=3"], "-seed=3: flags of the launcher are written --name=value."),
        (["--max_train_steps", "3"], "3: flags of the launcher are written"),
        (["--num_actors=8"], "--num_actors=8 cannot be given"),
        (["--actors_elsewhere", "1"], "--actors_elsewhere cannot be given"),
        (["--port=8008"], "--port=8008 cannot be given"),
    ],
)
def test_flags_that_would_be_lost_are_refused(
    flags: list[str], said: str, folder: Path
) -> None:
    """Before anything is started, in one line."""
    ended = run(folder, *flags)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"slurm.sbatch: {said}")
    assert ended.stderr.count("\n") == 1
    assert not (folder / "launched").exists()


def test_actors_are_those_of_the_tasks(folder: Path) -> None:
    """On several nodes all of them are elsewhere."""
    end_of(folder, 0)
    given = (folder / "launched").read_text().splitlines()
    assert {"--num_actors=2", "--actors_elsewhere=2", "--port=20007"} <= set(given)
    assert "--num_actors=2" in launched(folder)


def test_a_run_that_is_resumed_keeps_what_it_has(folder: Path) -> None:
    """Preset and seed; and its actors, if the job was only started again."""
    words = ("--gin_file=x.gin", "--seed=3", "--gin_bindings=Train.max_train_steps = 9")
    restarted = {"SLURM_RESTART_COUNT": "1"}
    assert {*words, "--num_actors=2"} < set(launched(folder, *words, **restarted))
    (folder / "run" / "run.json").touch()
    again = launched(folder, *words, "--discard_replay", **restarted)
    assert again == [words[2], "--resume", "--root_dir=run", "--port=20007"]
    own_job = launched(folder, "--discard_replay")
    assert {"--num_actors=2", "--discard_replay"} < set(own_job)
