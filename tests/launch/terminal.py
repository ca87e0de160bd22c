"""A terminal with a program in it: what it writes there, and how it leaves it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Callable

import pytest

from tests.reverb_server.waiting import wait_until

# Whatever the terminal is that the tests run in.
_ENVIRONMENT = {"TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}

# Comes out of a terminal after all that its program has written.
_LAST = b"\0"

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Terminal:
    """A program in a pseudo-terminal of 80 columns and 24 lines.

    Attributes:
      folder: Where the program runs.
      process: The program.
    """

    def __init__(self, arguments: Sequence[str], folder: Path, **env: str) -> None:
        self.folder = folder
        self._master, self._slave = pty.openpty()
        self.resize(80, 24)
        self._modes = termios.tcgetattr(self._slave)
        self._written = b""
        self.process = subprocess.Popen(
            arguments,
            cwd=folder,
            env={**os.environ, **_ENVIRONMENT, **env},
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # Nobody has the terminal open any more.
            while data := os.read(self._master, 65_536):
                self._written += data

    def resize(self, columns: int, lines: int) -> None:
        """Makes the window larger or smaller."""
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, size)

    @property
    def written(self) -> str:
        """All that came so far, with its control sequences."""
        return self._written.decode(errors="replace")

    @property
    def text(self) -> str:
        """All that came so far, without them: also what is not seen any more."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.written).replace("\r", "")

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the program."""
        self.process.send_signal(number)

    def wait(self, timeout_s: float) -> int:
        """Waits for its end, and for all that it has written; returns its exit code."""
        code = self.process.wait(timeout_s)
        os.write(self._slave, _LAST)
        wait_until(lambda: self._written.endswith(_LAST))
        self._written = self._written[: -len(_LAST)]
        return code

    def assert_left_as_it_was(self) -> None:
        """With a cursor, at the beginning of a line, in the modes of before."""
        assert HIDE_CURSOR in self.written, self.text
        assert self.written.rfind(SHOW_CURSOR) > self.written.rfind(HIDE_CURSOR)
        assert self.text.endswith("\n")
        assert termios.tcgetattr(self._slave) == self._modes

    def close(self) -> None:
        """Kills what is left, and takes the terminal away."""
        self.process.kill()
        self.process.wait()
        os.close(self._slave)
        self._reader.join(10)
        os.close(self._master)


Open = Callable[..., Terminal]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Open]:
    """Starts programs in terminals; none outlives its test."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str, **env: str) -> Terminal:
            opened = Terminal([sys.executable, *arguments], tmp_path, **env)
            stack.callback(opened.close)
            return opened

        yield start
