"""Where the user sees a run: live in a terminal, or in plain lines."""

from __future__ import annotations

import io
import os
import sys
from typing import Protocol

from launch.plain_view import PlainView, QuietView
from launch.state import RunState


class View(Protocol):
    """Shows a run while it goes on.

    Attributes:
      interval_s: How often it wants to show the state of the run.
    """

    interval_s: float

    def say(self, line: str) -> None:
        """Tells the user what is good to know."""

    def warn(self, line: str) -> None:
        """Tells the user what goes wrong."""

    def show(self, state: RunState) -> None:
        """Shows what the run is doing."""

    def show_last(self, state: RunState) -> None:
        """Shows, or need not, what has become of a run that has ended."""

    def close(self) -> None:
        """Leaves the terminal as it was, with the state that was shown last."""


def choose(quiet: bool) -> View:
    """The view that fits what standard output is.

    From now on, what it cannot encode is written as an escape: no word of a library or
    of an environment ends a run.

    Args:
      quiet: Whether to show nothing but what goes wrong.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if quiet:
        return QuietView()
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        # Rich takes a tenth of a second to import.
        from launch.live_view import LiveView  # noqa: PLC0415

        return LiveView()
    return PlainView()
