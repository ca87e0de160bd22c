"""The processes of a run as children of this one."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from experiment.process import give_way
from launch import tied
from launch.child_process import ChildProcess, last_words
from launch.role import Role
from launch.worker import Start

RUN_MODULE = str(Path(__file__).with_name("run_module.py"))

# What all of them get beside the variables of their starter.
VARIABLES = {"TF_CPP_MIN_LOG_LEVEL": "2"}


class Child:
    """A started process with a log of its own."""

    def __init__(
        self, role: Role, logs_dir: Path, temporary: Path, is_restart: bool = False
    ) -> None:
        """Starts a fresh interpreter; forking one with TensorFlow in it would hang.

        Args:
          role: What to start.
          logs_dir: Where its log goes.
          temporary: For the temporary files that TensorFlow and Reverb leave behind.
          is_restart: Whether one of this role ran before.
        """
        self.name = role.name
        self.started_at = time.monotonic()
        self.is_buried = False  # Its end was told.
        self.is_last = False  # Here, another one can always take its place.
        arguments = [*role.arguments, *(role.restart_arguments if is_restart else ())]
        self.log = logs_dir / f"{role.name}.log"
        logs_dir.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, RUN_MODULE, role.module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**VARIABLES, **os.environ, "TMPDIR": str(temporary)},
                # Ctrl-C reaches the launcher only, which ends all in good order.
                start_new_session=True,
                # Safe: the only other thread of a launcher waits for signals.
                preexec_fn=functools.partial(_in_child, role, os.getpid()),  # noqa: PLW1509
            )

    @property
    def pid(self) -> int:
        """Its process id, also after its end."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 + the signal's number if a signal ended it."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    @property
    def is_stopped(self) -> bool:
        """Whether a signal has stopped it."""
        with contextlib.suppress(psutil.Error):
            return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)
        return False

    def send(self, number: signal.Signals) -> None:
        """Sends a signal, if it still runs."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self, deadline: float) -> bool:
        """Waits until it has ended, at most until `deadline` (monotonic)."""
        try:
            self._process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_words(self) -> str:
        """What it says was fatal, or else the end of its log."""
        return last_words(self.log, self._log_start)


def _in_child(role: Role, parent: int) -> None:
    """Runs in the child before it becomes Python: it ends with its parent."""
    tied.tie(parent)
    if role.waits_for_server:
        give_way()


def end_all(children: Sequence[ChildProcess], grace_s: float) -> None:
    """Asks all to end, waits, and kills what is left."""
    for child in children:
        child.send(signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    late = [child for child in children if not child.wait(deadline)]
    for child in late:
        child.send(signal.SIGKILL)
    deadline = time.monotonic() + grace_s
    for child in late:
        child.wait(deadline)


@contextlib.contextmanager
def starting_here(logs_dir: Path) -> Iterator[Start]:
    """Lets workers start children on this machine, with a folder for temporary files.

    Args:
      logs_dir: Where their logs go.

    Yields:
      What starts them.
    """
    with tempfile.TemporaryDirectory(prefix="antiphon-") as temporary:
        yield functools.partial(Child, logs_dir=logs_dir, temporary=Path(temporary))
