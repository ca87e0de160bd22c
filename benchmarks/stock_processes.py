"""The processes of one measurement: started, waited for, and all ended with it.

No TensorFlow is imported here, nor by the modules that measure: processes are started
from a parent without its threads.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Callable, TypeVar

from experiment import process
from launch.children import Child, end_all
from launch.role import Role

_T = TypeVar("_T")

# Seconds that one thing which is waited for at the start may take. Importing
# TensorFlow takes most of it, when many processes do it on few cores.
START_TIMEOUT_S = 120.0

# Seconds between two looks at what is waited for.
_POLL_S = 0.1

# Seconds until a process that was asked to end is killed: a launcher ends others first.
_GRACE_S = 5 * process.GRACE_S


class Children:
    """Children of this process, ended when the context is left, and if we are killed.

    Attributes:
      folder: For their files; removed at the end.
    """

    def __init__(self) -> None:
        """Starts nothing yet."""
        self._temporary = tempfile.TemporaryDirectory(prefix="antiphon-stock-")
        self.folder = Path(self._temporary.name)
        self._children: list[Child] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            end_all(self._children, _GRACE_S)
        finally:
            self._temporary.cleanup()

    def start(self, name: str, module: str, *flags: str) -> Child:
        """Starts a fresh interpreter.

        Args:
          name: Of the process, for messages; no two have the same.
          module: What it runs.
          flags: Of the module.

        Returns:
          The child; its output is in its log.
        """
        child = Child(Role(name, module, flags), self.folder / "logs", self.folder)
        self._children.append(child)
        return child

    def end(self, child: Child) -> None:
        """Ends a child that has done its part."""
        self._children.remove(child)
        end_all([child], _GRACE_S)

    def wait(self, what: str, look: Callable[[], _T | None], timeout_s: float) -> _T:
        """Waits until there is what `look` looks for.

        Args:
          what: What is waited for, for the message.
          look: Returns it, or None as long as it is not there.
          timeout_s: Seconds to wait at most.

        Returns:
          What was found.

        Raises:
          RuntimeError: A child has failed.
          TimeoutError: It did not come in time.
        """
        deadline = time.monotonic() + timeout_s
        while (found := look()) is None:
            for child in self._children:
                if child.exit_code:
                    raise RuntimeError(
                        f"{child.name} failed (exit code {child.exit_code}) while "
                        f"waiting for {what}: {child.last_words()}"
                    )
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout_s:.0f} s in vain for {what}")
            time.sleep(_POLL_S)
        return found

    def report(self, child: Child, seconds: float = 0.0) -> dict[str, float]:
        """Waits for the first report of a child, as `wait` does.

        Args:
          child: One that was started here just now.
          seconds: That it measures for, once it is up.
        """
        timeout_s = START_TIMEOUT_S + seconds
        return self.wait(
            f"figures of {child.name}", lambda: last_report(child), timeout_s
        )


def last_report(child: Child) -> dict[str, float] | None:
    """The newest JSON object that a child has printed; None before the first."""
    # What follows the last newline may be half of a line.
    lines, _, _ = child.log.read_text(errors="replace").rpartition("\n")
    # Libraries write to the same log.
    reports = [line for line in lines.split("\n") if line.startswith("{")]
    if not reports:
        return None
    report: dict[str, float] = json.loads(reports[-1])
    return report


def start_server(children: Children, port: int) -> Child:
    """Starts the stock Reverb server and waits until it serves.

    Its reports have `time` (seconds, monotonic), `transitions` inserted so far, and
    `pushes` of weights so far.

    Args:
      children: Where it belongs.
      port: Reserved for it.

    Returns:
      The server.
    """
    flags = ("--role=server", f"--port={port}")
    server = children.start("server", "benchmarks.stock_roles", *flags)
    children.report(server)
    return server


def rates(children: Children, server: Child, seconds: float) -> dict[str, float]:
    """What the server's counts grow by a second, from now on, over `seconds`."""
    first = last_report(server)
    if first is None:
        raise RuntimeError("the server has not reported yet; use start_server.")
    start = first["time"]

    def later() -> dict[str, float] | None:
        report = last_report(server)
        return report if report and report["time"] - start >= seconds else None

    # Beyond `seconds` only the next report is waited for.
    last = children.wait("counts of the server", later, seconds + START_TIMEOUT_S)
    elapsed = last["time"] - start
    return {name: (last[name] - first[name]) / elapsed for name in first}


def wait_for_count(
    children: Children, server: Child, name: str, at_least: float
) -> None:
    """Waits until one of the server's counts has grown so far."""

    def reached() -> bool | None:
        report = last_report(server)
        return True if report and report[name] >= at_least else None

    children.wait(f"{at_least:.0f} {name}", reached, START_TIMEOUT_S)
