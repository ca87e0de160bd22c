"""Runs a command of Python that ends, by SIGTERM, with the process that started it.

For starters with threads, in which no code may run between fork and exec.

Usage: python launch/tied.py PID_OF_THE_STARTER SCRIPT [ARGUMENTS]
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # From linux/prctl.h.
_LIBC = ctypes.CDLL(None, use_errno=True)


def tie(parent: int) -> None:
    """Lets the kernel end this process with its parent; what it becomes, too.

    Args:
      parent: Process id of who has started it. If that has ended, this ends now.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # It has died in between.
        os._exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    tie(int(sys.argv[1]))
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
