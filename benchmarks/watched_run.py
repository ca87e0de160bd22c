"""A run under the launcher, seen from outside: its processes, and whether it is well.

No TensorFlow is imported here: see `stock_processes`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.stock_processes import START_TIMEOUT_S, Children
from experiment.errors import EXIT_FINISHED
from launch.children import Child
from launch.progress import Progress


class WatchedRun:
    """The processes of `launch/local.sh`, and their figures."""

    def __init__(
        self, children: Children, root_dir: Path, roles: Sequence[str], *flags: str
    ) -> None:
        """Starts the run.

        Args:
          children: Where the launcher belongs.
          root_dir: Folder of the run.
          roles: Names of all its processes, as the launcher has them.
          flags: Of the launcher.
        """
        self._children = children
        self._progress = Progress(root_dir)
        self._roles = roles
        self.launcher: Child = children.start(
            f"launch-{len(roles)}-{time.monotonic_ns()}",
            "launch",
            f"--root_dir={root_dir}",
            *flags,
        )
        self.seen: set[psutil.Process] = set()

    def processes(self) -> dict[str, psutil.Process]:
        """The processes of the roles that are alive, by name."""
        found = {}
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.launcher.pid).children():
                with contextlib.suppress(psutil.Error):
                    name = _name_of(child.cmdline())
                    if name and child.status() != psutil.STATUS_ZOMBIE:
                        found[name] = child
        self.seen |= set(found.values())
        return found

    def figure(self, role: str, name: str) -> int:
        """The newest value of a count; 0 before any."""
        self._progress.read()
        return int(self._progress.figure(role, name) or 0)

    def wait_until_well(self, timeout_s: float) -> float:
        """Waits until all processes are heard of, and training and acting go on.

        Or until the run has reached its end, which a resumed one may do at once.

        Args:
          timeout_s: Seconds to wait at most.

        Returns:
          Seconds that it took.

        Raises:
          RuntimeError: The run has ended.
          TimeoutError: It took longer.
        """
        start = time.monotonic()
        counts: tuple[int, int] | None = None

        def look() -> bool | None:
            nonlocal counts
            self._progress.read()
            if self.launcher.exit_code == EXIT_FINISHED:
                return True
            if not self._all_heard_since(start):
                return None
            now = (
                self.figure("learner", "train_step"),
                self.figure("reverb_server", "env_steps"),
            )
            counts = counts or now
            return True if now[0] > counts[0] and now[1] > counts[1] else None

        self._children.wait("a run that is well", look, timeout_s)
        return time.monotonic() - start

    def wait_for_end(self, timeout_s: float) -> int:
        """Waits for the launcher to end; returns its exit code."""
        return self._children.wait(
            "the end of the run", lambda: self.launcher.exit_code, timeout_s
        )

    def wait_until_started(self) -> None:
        """Waits until it is well for the first time."""
        self.wait_until_well(2 * START_TIMEOUT_S)

    def _all_heard_since(self, start: float) -> bool:
        processes = self.processes()
        for role in self._roles:
            module, _, task = role.partition("-")
            heard_at = role in processes and self._progress.heard_at(
                module, int(task or 0), processes[role].pid
            )
            if not heard_at or heard_at < start:
                return False
        return True


def _name_of(command: Sequence[str]) -> str | None:
    """Name of the role that a command line starts: `actor-1`, say."""
    modules = {"reverb_server", "learner", "eval_job", "actor"} & set(command[:4])
    task = [word.partition("=")[2] for word in command if word.startswith("--task=")]
    return "-".join([*modules, *task]) if modules else None
