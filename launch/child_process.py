"""What the launcher knows of a process that it has started, wherever that runs."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Protocol

from experiment.errors import FATAL_MARK

# Lines of a log that are shown if it does not say what was fatal.
_LAST_LINES = 5


class ChildProcess(Protocol):
    """A process of a role: `children.Child` on this machine, or another kind.

    Attributes:
      name: Of the role.
      log: What it prints comes here, on this machine.
      is_buried: Whether its end was told, or nobody wants to hear of it.
      is_last: Whether another one could not take its place.
    """

    name: str
    log: Path
    is_buried: bool
    is_last: bool

    @property
    def pid(self) -> int:
        """Its process id where it runs, also after its end; 0 while it has none yet."""

    @property
    def started_at(self) -> float:
        """When it was started, on the monotonic clock; now, while it was not yet."""

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 + the signal's number if a signal ended it."""

    @property
    def is_stopped(self) -> bool:
        """Whether a signal has stopped it, as far as is known."""

    def send(self, number: signal.Signals) -> None:
        """Sends a signal, if it still runs."""

    def wait(self, deadline: float) -> bool:
        """Waits until it has ended, at most until `deadline` (monotonic)."""

    def last_words(self) -> str:
        """What it says was fatal, or else the end of its log."""


def last_words(log: Path, start: int) -> str:
    """What a process says was fatal, or else the end of what it has printed.

    Args:
      log: Its log.
      start: Where in it the process has begun, in bytes.
    """
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    fatal = [line for line in lines if line.startswith(FATAL_MARK)]
    if fatal:
        return fatal[0][len(FATAL_MARK) :]
    return "\n".join(["", *lines[-_LAST_LINES:]])
