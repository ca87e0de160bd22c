"""The processes of a run as data, and their lives as children of this one."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from experiment.errors import FATAL_MARK
from experiment.process import give_way

_PR_SET_PDEATHSIG = 1  # From linux/prctl.h.
_LIBC = ctypes.CDLL(None, use_errno=True)

RUN_MODULE = str(Path(__file__).with_name("run_module.py"))

# Lines of a log that are shown if it does not say what was fatal.
_LAST_LINES = 5


@dataclasses.dataclass(frozen=True)
class Role:
    """One process to start.

    Attributes:
      name: Also the name of its log.
      module: A package of this checkout.
      arguments: Its flags.
      restart_arguments: Further flags when it takes the place of one that died.
      task: Number of the process within its module.
      waits_for_server: Whether it starts when the server is up, giving way to others.
      is_spare: Whether a run can end well without it.
    """

    name: str
    module: str
    arguments: Sequence[str]
    restart_arguments: Sequence[str] = ()
    task: int = 0
    waits_for_server: bool = False
    is_spare: bool = False


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
                env={
                    "TF_CPP_MIN_LOG_LEVEL": "2",
                    **os.environ,
                    "TMPDIR": str(temporary),
                },
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
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        fatal = [line for line in lines if line.startswith(FATAL_MARK)]
        if fatal:
            return fatal[0][len(FATAL_MARK) :]
        return "\n".join(["", *lines[-_LAST_LINES:]])


def _in_child(role: Role, parent: int) -> None:
    """Runs in the child before it becomes Python: it ends with its parent."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # It has died in between.
        os._exit(128 + signal.SIGTERM)
    if role.waits_for_server:
        give_way()


def end_all(children: Sequence[Child], grace_s: float) -> None:
    """Asks all to end, waits, and kills what is left."""
    for child in children:
        child.send(signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    for child in children:
        if not child.wait(deadline):
            child.send(signal.SIGKILL)
            child.wait(time.monotonic() + grace_s)
