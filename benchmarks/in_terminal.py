"""Starts the launcher of any checkout in a terminal of its own, as a person would.

`python -m benchmarks.in_terminal CHECKOUT FLAGS`: what it draws goes to our output.
"""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import sys
from pathlib import Path

_CHUNK_BYTES = 65_536


def main(checkout: str, *flags: str) -> int:
    """Runs until the launcher ends, which it is told to do when we are.

    Args:
      checkout: Its folder.
      *flags: Of the launcher.

    Returns:
      The launcher's exit code.
    """
    script = str(Path(checkout, "launch", "run_module.py"))
    pid, terminal = pty.fork()
    if pid == 0:
        _become([sys.executable, script, "launch", *flags])
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
    with contextlib.suppress(OSError):  # The terminal has gone: the launcher has ended.
        while chunk := os.read(terminal, _CHUNK_BYTES):
            sys.stdout.buffer.write(chunk)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _become(command: list[str]) -> None:
    environment = {**os.environ, "TERM": "xterm-256color"}
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
