"""Waiting in tests: for what has to come, and for no longer than a deadline."""

from __future__ import annotations

import time
from typing import Callable

DEADLINE_S = 60.0


def wait_until(condition: Callable[[], object], timeout_s: float = DEADLINE_S) -> None:
    """Returns as soon as the condition holds; fails if it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
