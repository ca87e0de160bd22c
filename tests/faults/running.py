"""A small run under the launcher to which something is going to happen."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import psutil

from experiment import run_dir
from reverb_server.replay_snapshots import ReplaySnapshots
from tests.system.commands import CHECKOUT, TIMEOUT_S, Command

# Flags of the launcher only.
WITHOUT_END = ("--max_train_steps=1000000000", "--target_return=1000000")

# With a snapshot every few seconds.
UNHURRIED = Path(__file__).with_name("unhurried.gin")

# As few processes as a run can have: the start of each takes seconds of computing.
ENDLESS = ("--num_actors=1", *WITHOUT_END, f"--gin_file={UNHURRIED}")

# A module of the user: it works in all processes but the learner's.
_BROKEN = """
import sys
import gin
from experiment.networks import q_network

@gin.configurable
def network(*specs):
    if sys.argv[0].endswith("learner/__main__.py"):
        raise RuntimeError("no network today")
    return q_network(*specs)
"""


class Running:
    """A run and its figures, as they come.

    Attributes:
      command: The launcher.
      folder: Of the run.
    """

    def __init__(self, command: Command, folder: Path) -> None:
        self.command = command
        self.folder = folder
        self._shown = len(command.output)
        self._rows: list[dict[str, Any]] = []
        self._read_to = 0

    @property
    def news(self) -> str:
        """What the launcher has printed since this object was made."""
        return self.command.output[self._shown :]

    def rows(self, role: str, **wanted: Any) -> list[dict[str, Any]]:
        """All rows of a role, oldest first, with these values."""
        self._read_on()
        return [
            row
            for row in self._rows
            if row["role"] == role and wanted.items() <= row.items()
        ]

    def _read_on(self) -> None:
        """Reads the rows that are new: who waits asks for them again and again."""
        metrics = self.folder / run_dir.METRICS
        if metrics.exists():
            with metrics.open("rb") as file:
                file.seek(self._read_to)
                # What follows the last newline may be half of a row.
                lines, newline, _ = file.read().rpartition(b"\n")
            self._read_to += len(lines) + len(newline)
            self._rows += [json.loads(line) for line in lines.splitlines()]

    def count(self, role: str, figure: str, since: float = 0.0) -> int | None:
        """The newest value of a count, of rows sent after a time; None if none was."""
        rows = [row for row in self.rows(role) if figure in row and row["time"] > since]
        return int(rows[-1][figure]) if rows else None

    def before_the_end(
        self, role: str, figure: Callable[[dict[str, Any]], int | None], seconds: float
    ) -> int:
        """The largest figure in the rows of a role, but for those of the last seconds.

        Args:
          role: Of the rows.
          figure: What a row says; None if it says nothing.
          seconds: Before the last row of the role.
        """
        rows = self.rows(role)
        until = rows[-1]["time"] - seconds if rows else 0.0
        return max(
            (figure(row) or 0 for row in rows if row["time"] <= until), default=0
        )

    def kill_all(self) -> set[int]:
        """Kills the launcher and all it has started, at once; returns their pids."""
        killed = self.command.processes()
        for process in killed:
            with contextlib.suppress(psutil.NoSuchProcess):  # Ended by the others' end.
                process.send_signal(signal.SIGKILL)
        assert self.command.wait(30) == -signal.SIGKILL
        self.command.assert_nothing_is_left(timeout_s=15)
        return {process.pid for process in killed}

    def process(self, role: str, task: int | None = None) -> psutil.Process:
        """The one process of a role that is alive."""
        [found] = self._alive(role, task)
        return found

    def _alive(self, role: str, task: int | None) -> list[psutil.Process]:
        """None for a moment, while one takes the place of another."""
        words = {role} if task is None else {role, f"--task={task}"}
        found = []
        for process in self.command.processes():
            with contextlib.suppress(psutil.Error):  # It has just ended.
                if words <= set(process.cmdline()):
                    found.append(process)
        return found

    def successor(self, role: str, before: int) -> psutil.Process:
        """Waits for another process of a role than `before`, which has ended."""
        self.wait(lambda: {each.pid for each in self._alive(role, None)} - {before})
        return self.process(role)

    def wait_until_replaced(self, role: str, task: int, before: int) -> int:
        """Waits for another process than `before`, and its steps; returns its pid."""

        def is_replaced() -> bool:
            rows = self.rows(role, task=task)
            if not rows or rows[-1]["pid"] == before or not rows[-1].get("env_steps"):
                return False  # To look at all processes takes longer.
            return rows[-1]["pid"] in {each.pid for each in self._alive(role, task)}

        self.wait(is_replaced)
        return self.process(role, task).pid

    def wait(
        self, condition: Callable[[], object], timeout_s: float = TIMEOUT_S
    ) -> None:
        """Waits for something to become true while the run goes on."""
        self.command.wait_until(lambda: bool(condition()), timeout_s)

    def wait_until_well(self, timeout_s: float = TIMEOUT_S) -> None:
        """Waits until training and acting go on, from now on."""
        now = time.time()
        first: list[int] = []

        def goes_on() -> bool:
            steps = self.count("learner", "train_step", now)
            env_steps = self.count("reverb_server", "env_steps", now)
            if steps is None or env_steps is None:
                return False
            if not first:
                first.extend((steps, env_steps))
            return steps > first[0] and env_steps > first[1]

        self.wait(goes_on, timeout_s)

    def kill(self, role: str, task: int | None = None) -> int:
        """Kills a process by a signal that nobody can handle; returns its pid."""
        process = self.process(role, task)
        process.send_signal(signal.SIGKILL)
        return process.pid

    def snapshots(self, shard: int = 0) -> list[int]:
        """Train steps of the snapshots that a replay server keeps; 0 is the first."""
        kept = ReplaySnapshots(self.folder, shard).folder_of_server / "snapshots"
        return sorted(int(path.name) for path in kept.glob("[0-9]*"))

    def checkpoints(self) -> list[int]:
        """Train steps of the learner's checkpoints that are whole."""
        indices = (self.folder / run_dir.CHECKPOINTS).glob("ckpt-*.index")
        return sorted(
            int(path.stem.removeprefix("ckpt-"))
            for path in indices
            if _has_content(path)
        )

    def assert_interrupted(self) -> None:
        """Fails unless what was stored last is of the end, and all of one moment."""
        stored = self.snapshots()[-1]
        assert self.checkpoints()[-1] == stored
        trained = max(row.get("train_step", 0) for row in self.rows("learner"))
        assert stored >= trained > 0
        result = json.loads((self.folder / run_dir.RESULT).read_text())
        assert result["status"] == "interrupted"

    def logged(self, name: str, text: str) -> bool:
        """Whether a process has said something in its log."""
        log = self.folder / run_dir.LOGS_DIR / f"{name}.log"
        return log.exists() and text in log.read_text(errors="replace")


def _has_content(path: Path) -> bool:
    """Whether it is there still, and whoever writes it has come to its content."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def launch_broken(launch: Callable[..., Command], folder: Path, *flags: str) -> Command:
    """Starts a run whose learner cannot be built; all others can."""
    (folder / "broken.py").write_text(_BROKEN)
    (folder / "broken.gin").write_text(
        "import broken\ndqn_agent.network = @broken.network\n"
        "gym_environment.name = 'CartPole-v1'"
    )
    return launch("--gin_file=broken.gin", "--root_dir=run", *flags)


@contextlib.contextmanager
def running_in(folder: Path, *flags: str) -> Iterator[Running]:
    """A run for many tests; it is killed at the end of the block."""
    script = str(CHECKOUT / "launch" / "run_module.py")
    command = Command(
        [sys.executable, script, "launch", "--root_dir=run", *flags], folder
    )
    try:
        yield Running(command, folder / "run")
    finally:
        command.kill()
