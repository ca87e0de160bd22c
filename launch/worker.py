"""One role of a run through all its lives as a process."""

from __future__ import annotations

import dataclasses
import signal
import time
from pathlib import Path
from typing import Protocol

from experiment.process import GRACE_S
from launch.child_process import ChildProcess
from launch.restarts import Restarts
from launch.role import Role


@dataclasses.dataclass(frozen=True)
class Failure:
    """A process that ended and should not have.

    Attributes:
      name: Of the role.
      exit_code: As shells have it: 128 + the number of a signal.
      lived_s: Seconds from start to end.
      restart_in_s: None if it is not started again.
      log: Where it logged to.
      last_words: What it said was fatal, or the end of its log.
    """

    name: str
    exit_code: int
    lived_s: float
    restart_in_s: float | None
    log: Path
    last_words: str

    @property
    def cause(self) -> str:
        """Why it ended, in words."""
        return cause(self.exit_code)

    def __str__(self) -> str:
        """For the end of a run."""
        return (
            f"{self.name} failed (exit code {self.exit_code}, log {self.log}): "
            f"{self.last_words}"
        )


def cause(exit_code: int) -> str:
    """The exit code, or the signal's name, in words."""
    number = exit_code - 128
    if number in set(signal.Signals):
        return f"was ended by {signal.Signals(number).name}"
    return f"failed with exit code {exit_code}"


class Start(Protocol):
    """Starts a role as a process."""

    def __call__(self, role: Role, *, is_restart: bool) -> ChildProcess:
        """Returns it at once; `is_restart`: whether one of this role ran before."""


class Worker:
    """Starts the process of a role, and starts it again when it fails.

    Attributes:
      role: Of the process.
      child: The newest one; None before the first look.
      restarts: How often it was started again.
    """

    def __init__(self, role: Role, start: Start, max_restarts: int) -> None:
        """Starts nothing yet.

        Args:
          role: What to start.
          start: Starts it.
          max_restarts: How often in a row it may fail.
        """
        self.role = role
        self._start = start
        self._restarts = Restarts(max_restarts)
        self.child: ChildProcess | None = None
        self.restarts = 0
        self._start_at: float | None = time.monotonic()

    @property
    def has_finished(self) -> bool:
        """Whether it is through with its work."""
        return self.child is not None and self.child.exit_code == 0

    @property
    def restart_in_s(self) -> float | None:
        """Seconds until it is started again; None if it is not to be."""
        if self.child is None or self._start_at is None:
            return None
        return max(self._start_at - time.monotonic(), 0.0)

    def look(self, may_restart: bool, has_worked: bool) -> Failure | None:
        """Starts it if that is due.

        Args:
          may_restart: Whether it is wanted any longer.
          has_worked: Whether its process has got to what it is there for.

        Returns:
          The failure, once, if it has failed since the last look.
        """
        now = time.monotonic()
        if self._start_at is not None:
            if now >= self._start_at:
                is_restart = self.child is not None
                self.child = self._start(self.role, is_restart=is_restart)
                self.restarts += is_restart
                self._start_at = None
            return None
        child = self.child
        if child is None or not child.exit_code or child.is_buried:
            return None
        child.is_buried = True
        lived_s = now - child.started_at
        worked_s = lived_s if has_worked else 0.0
        delay_s = self._restarts.delay_s(child.exit_code, worked_s, now)
        if not may_restart or child.is_last:
            delay_s = None
        self._start_at = None if delay_s is None else now + delay_s
        return Failure(
            self.role.name,
            child.exit_code,
            lived_s,
            delay_s,
            child.log,
            child.last_words(),
        )


class Leaving:
    """A process that is not wanted any longer, until it has ended.

    Attributes:
      child: The process.
    """

    def __init__(self, child: ChildProcess) -> None:
        """Asks it to end; it has some seconds for that."""
        self.child = child
        self._deadline: float | None = time.monotonic() + GRACE_S + 2
        child.is_buried = True  # Whatever it ends with is no failure.
        child.send(signal.SIGTERM)

    def has_ended(self) -> bool:
        """Looks after it: it is killed, once, if it takes too long."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._deadline = None
            self.child.send(signal.SIGKILL)
        return self.child.exit_code is not None
