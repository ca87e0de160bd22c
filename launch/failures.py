"""What has failed in a run so far: told to the user, kept in its folder, explained."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from pathlib import Path
from typing import Callable

from experiment import run_dir
from launch.worker import Failure

# Failures so many seconds apart have one cause.
_SAME_CAUSE_S = 120.0


class Failures:
    """The failures of all processes of a run, in order."""

    def __init__(self, root_dir: Path, say: Callable[[str], None]) -> None:
        """Args: root_dir: Folder of the run; say: Shows a line to the user."""
        self._path = root_dir / run_dir.FAULTS
        self._say = say
        self._all: list[tuple[float, Failure]] = []

    def note(self, failure: Failure) -> None:
        """Takes one more; tells of it, if the run goes on."""
        self._all.append((time.monotonic(), failure))
        row = {
            "time": time.time(),
            "role": failure.name,
            "exit_code": failure.exit_code,
            "lived_s": round(failure.lived_s, 3),
            "restart_in_s": failure.restart_in_s,
        }
        try:
            run_dir.append_text(self._path, json.dumps(row) + "\n")
        except OSError as error:  # The disk is full: the run goes on.
            self._say(f"{self._path} could not be written: {error}")
        if failure.restart_in_s is not None:
            # One line is what it said was fatal; more are the end of its log.
            words = failure.last_words
            why = "" if "\n" in words else f" ({words.rstrip('.')})"
            self._say(
                f"{failure.name} {failure.cause} after {failure.lived_s:.0f} s{why}; "
                f"starting it again in {failure.restart_in_s:.0f} s. Log: {failure.log}"
            )

    @property
    def fatal(self) -> Failure | None:
        """The one that ends the run."""
        newest = self._all[-1][1] if self._all else None
        return newest if newest and newest.restart_in_s is None else None

    def why(self, recovered: Collection[str]) -> str:
        """Who failed for good; and, shown last, who was the first to fail.

        Args:
          recovered: Names of roles that failed and got to work again.
        """
        first_at, last = self._all[-1]
        first = last
        for failed_at, failure in reversed(self._all):
            if first_at - failed_at > _SAME_CAUSE_S:
                break
            if failure.name not in recovered:
                first_at, first = failed_at, failure
        if first.name == last.name:
            return str(last)
        return f"{last}\nthe first to fail: {first}"
