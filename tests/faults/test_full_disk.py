"""A disk that is full costs what cannot be written, not the run (F22)."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

import psutil
import pytest

from experiment import run_dir
from tests.faults.running import ENDLESS, Running
from tests.system.commands import CHECKOUT, TIMEOUT_S, Command

# A file system of its own for the folder of the run; only these processes see it.
_SCRIPT = """
mkdir run
mount -t tmpfs -o size=1m tmpfs run || exit 3
"$@" {flags}
mount -o remount,size=200m run || exit 3
"$@" --resume
"""


def _may_mount() -> bool:
    command = ["unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    try:
        return not subprocess.run(command, capture_output=True, check=False).returncode
    except OSError:
        return False


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not _may_mount(), reason="unshare -m is not permitted"),
]


def _last_step(running: Running) -> int:
    """The train step that the console shows."""
    found = re.findall(r"train step ([\d,]+) \(", running.news)
    return int(found[-1].replace(",", "")) if found else 0


@pytest.fixture
def running(start: Callable[..., Command], tmp_path: Path) -> Running:
    """A run on a small disk; when it is ended, it is resumed on a large one."""
    flags = " ".join(f"'{flag}'" for flag in ENDLESS)
    command = start(
        "unshare",
        "-m",
        "sh",
        "-c",
        _SCRIPT.format(flags=flags),
        "sh",
        sys.executable,
        str(CHECKOUT / "launch" / "run_module.py"),
        "launch",
        "--root_dir=run",
    )
    command.wait_until(lambda: bool(command.processes()), TIMEOUT_S)
    shell = command.processes()[0].pid
    seen_by_it = Path(f"/proc/{shell}/root", *tmp_path.parts[1:], "run")
    return Running(command, seen_by_it)


def test_a_full_disk_costs_what_cannot_be_written_only(running: Running) -> None:
    """The last snapshot is gone on from once there is space; figures may be lost."""
    stored = _trains_on_without_snapshots(running)
    _launcher(running).send_signal(signal.SIGINT)
    running.wait(lambda: "going on: " in running.command.output)
    running.wait_until_well()
    assert running.logged("learner", "the newest checkpoint is of train step")
    rows = running.rows("learner")
    assert max(row.get("train_step", 0) for row in rows) > stored
    running.wait(lambda: running.snapshots()[-1] > stored)

    # Figures reach the launcher through a file.
    _goes_on_while_no_figure_can_be_written(Running(running.command, running.folder))
    assert "starting it again" not in running.command.output


def _trains_on_without_snapshots(running: Running) -> int:
    """Until the user is told; returns the train step that was stored last."""
    running.wait((running.folder / run_dir.METRICS).exists)
    reserve = running.folder / "reserve"
    reserve.write_bytes(bytes(100_000))

    def is_told(fact: Callable[[], bool]) -> bool:
        """By figures, through a file of this disk, which gets room if it is full."""
        if "metrics.jsonl cannot be written" in running.news:
            reserve.unlink(missing_ok=True)
        return fact()

    running.wait(lambda: is_told(lambda: "problem: learner: train" in running.news))
    assert "could not be stored, training goes on: " in running.news
    step = _last_step(running)
    running.wait(lambda: is_told(lambda: _last_step(running) > step))
    stored = running.checkpoints()
    assert stored
    return stored[-1]


def _goes_on_while_no_figure_can_be_written(running: Running) -> None:
    """On a disk without a byte left; nobody is taken for hung."""
    pids = {process.pid for process in running.command.processes()}
    filler = running.folder / "filler"
    until = time.monotonic() + 80  # Longer than any silence that is put up with.

    def still_full() -> bool:
        for size in (2**20, 512):
            with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
                while file.write(bytes(size)) == size:
                    pass
        return time.monotonic() < until

    running.wait(lambda: not still_full())
    assert "metrics.jsonl cannot be written, its disk may be full" in running.news
    filler.unlink()
    assert "has been silent" not in running.news
    running.wait_until_well()
    assert pids == {process.pid for process in running.command.processes()}


def _launcher(running: Running) -> psutil.Process:
    processes = running.command.processes()
    [shell] = [each for each in processes if each.name() == "sh"]
    [launcher] = [each for each in processes if each.ppid() == shell.pid]
    return launcher
