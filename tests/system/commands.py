"""Whole runs as a user starts them, and what is left of them afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
_MARK = "ANTIPHON_TEST_MARK"

# Seconds that anything may take: under load everything takes longer.
TIMEOUT_S = 400.0


class Command:
    """A command that is bounded in time, and whose processes are known by a mark."""

    def __init__(self, arguments: list[str], cwd: Path) -> None:
        self._mark = uuid.uuid4().hex
        self._output = cwd / f"output-{self._mark}.txt"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                arguments,
                cwd=cwd,
                env={**os.environ, _MARK: self._mark},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """All it has printed so far."""
        return self._output.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the command itself, not to its children."""
        self._process.send_signal(number)

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """Waits for its end; returns the exit code, negative for a signal."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still runs after {timeout_s} s; it printed:\n{self.output}")

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        """Waits for something to become true while the command runs."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self._process.poll() is None, f"it ended early:\n{self.output}"
            assert time.monotonic() < deadline, f"waited in vain:\n{self.output}"
            time.sleep(0.05)

    def processes(self) -> list[psutil.Process]:
        """All its processes that still run, zombies excluded."""
        found = []
        for process in psutil.process_iter():
            try:
                marked = process.environ().get(_MARK) == self._mark
                if marked and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:  # It has just ended, or is not ours to look at.
                continue
        return found

    def assert_nothing_is_left(self, timeout_s: float = 15) -> None:
        """Fails if a process of the command outlives it by so many seconds."""
        deadline = time.monotonic() + timeout_s
        while left := self.processes():
            assert time.monotonic() < deadline, [" ".join(p.cmdline()) for p in left]
            time.sleep(0.05)

    def kill(self) -> None:
        """Kills whatever is left of it."""
        for process in self.processes():
            process.kill()
        self._process.wait(10)


Start = Callable[..., Command]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts commands in an empty folder; kills what is left at the end."""
    commands: list[Command] = []

    def _start(*arguments: str) -> Command:
        commands.append(Command(list(arguments), tmp_path))
        return commands[-1]

    yield _start
    for command in commands:
        command.kill()


@pytest.fixture
def role(start: Start) -> Start:
    """Starts one role by hand."""
    script = str(CHECKOUT / "launch" / "run_module.py")
    return lambda *arguments: start(sys.executable, script, *arguments)


@pytest.fixture
def launch(role: Start) -> Start:
    """Starts the launcher with flags, as `launch/local.sh` does after the set-up."""
    return lambda *flags: role("launch", *flags)
