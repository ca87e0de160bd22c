"""launch/scale.py: actors come to a run that goes on, and go, and it goes on."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from experiment import run_dir
from experiment.process import GRACE_S
from launch import memory
from tests.faults.running import UNHURRIED, WITHOUT_END, Running, running_in
from tests.launch.a_run import MANIFEST
from tests.system.commands import CHECKOUT, TIMEOUT_S

_LADDER = "--gin_bindings=Experiment.collect_policy = @epsilon_ladder"


def scale(*flags: str) -> subprocess.CompletedProcess[str]:
    """Runs the command."""
    return subprocess.run(
        [sys.executable, "-m", "launch.scale", *flags],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT_S,
        check=False,
    )


def refused(*flags: str) -> str:
    """The one line by which the command says that something is wrong."""
    ended = scale(*flags)
    assert ended.returncode == 2, ended
    [line] = ended.stderr.splitlines()
    return line.removeprefix("fatal: ")


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A run with one actor."""
    flags = ("--num_actors=1", *WITHOUT_END, f"--gin_file={UNHURRIED}", _LADDER)
    with running_in(tmp_path_factory.mktemp("endless"), *flags) as running:
        running.wait_until_well()
        yield running


def actors(running: Running) -> set[str]:
    """The flags by which the actors that run now are told apart."""
    return {
        word
        for process in running.command.processes()
        for word in process.cmdline()
        if word.startswith("--task=")
    }


def test_actors_come_and_go_and_the_run_goes_on(endless: Running) -> None:
    """From 1 to 3 and back, and nobody else is started again."""
    folder = f"--root_dir={endless.folder}"
    lasting = {
        endless.process(role).pid for role in ("reverb_server", "learner", "eval_job")
    }
    lasting.add(endless.process("actor", 0).pid)

    ended = scale(folder, "--num_actors=3")
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    assert ended.stdout.startswith("3 actors at work (1 before), after ")
    assert ended.stdout.count("\n") == 1
    assert actors(endless) == {"--task=0", "--task=1", "--task=2"}
    assert "scaled from 1 to 3 actors" in endless.news
    endless.wait(lambda: endless.logged("actor-0", "explores as actor 0 of 3 now"))
    endless.wait_until_well()
    # What a resume would take.
    assert run_dir.read_manifest(endless.folder).num_actors == 3

    assert scale(folder, "--num_actors=1").returncode == 0
    endless.wait(lambda: actors(endless) == {"--task=0"})
    assert "scaled from 3 to 1 actors" in endless.news
    endless.wait(lambda: endless.logged("actor-0", "explores as actor 0 of 1 now"))
    endless.wait_until_well()
    assert lasting == {process.pid for process in endless.command.processes()} - {
        endless.command._process.pid
    }
    assert not (endless.folder / run_dir.FAULTS).exists()
    assert not (endless.folder / run_dir.SCALE).exists()

    endless.command.send(signal.SIGINT)
    assert endless.command.wait(4 * GRACE_S) == 130
    endless.command.assert_nothing_is_left()
    result: dict[str, Any] = json.loads((endless.folder / "result.json").read_text())
    assert result["num_actors"] == 1
    said = refused(folder, "--num_actors=2")
    assert said.startswith(
        f"--root_dir {endless.folder} holds no run that goes on here"
    )


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (["--num_actors=0"], "--num_actors is 0; it must be a whole number >= 1."),
        (["--num_actors=two"], "flag --num_actors=two"),
        ([], "--num_actors is required, e.g. --num_actors=4."),
        (["--num_actors=2", "more"], "unknown argument 'more'"),
        (["--num_actors=2", "--root_dir=/nowhere"], "--root_dir /nowhere holds no run"),
    ],
)
def test_what_cannot_be_is_refused(flags: list[str], error: str) -> None:
    """In one line, before anything is asked for."""
    assert refused(*flags).startswith(error)


def test_a_run_with_actors_elsewhere_is_not_scaled(tmp_path: Path) -> None:
    """They have the highest numbers, which nobody can take from them."""
    run = dataclasses.replace(MANIFEST, actors_elsewhere=3)
    (tmp_path / run_dir.MANIFEST).write_text(run.to_json())
    lock = run_dir.lock(tmp_path)
    try:
        said = refused(f"--root_dir={tmp_path}", "--num_actors=6")
    finally:
        os.close(lock)
    assert said.startswith(f"the run in {tmp_path} has 3 actors that were started else")
    assert not (tmp_path / run_dir.SCALE).exists()


# Below a process of another name, which first says the number of its own.
_BELOW = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
_UP = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"


@pytest.mark.parametrize(("above", "here"), [("raylet", False), ("launcher", True)])
def test_the_memory_of_this_machine_is_asked_for_actors_that_come_here(
    above: str, here: bool, tmp_path: Path
) -> None:
    """Those of a Ray cluster, or of another machine, come where there is room."""
    row: dict[str, Any] = {"role": "reverb_server", "task": 0, "host": "another"}
    metrics = tmp_path / run_dir.METRICS
    metrics.write_text(json.dumps({**row, "pid": 1}) + "\n")
    assert not memory.is_of_new_actors(tmp_path)
    program = tmp_path / above
    program.symlink_to(sys.executable)
    with subprocess.Popen(
        [str(program), "-c", _BELOW, _UP], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        row.update(host=socket.gethostname(), pid=server.pid)
        metrics.write_text(json.dumps(row) + "\n")
        try:
            assert memory.is_of_new_actors(tmp_path) == here
        finally:
            server.kill()
    assert memory.is_of_new_actors(tmp_path)
