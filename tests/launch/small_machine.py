"""A machine with as little memory as a test wants."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest

from experiment import available_memory


def set_memory(monkeypatch: pytest.MonkeyPatch, total: float, free: float) -> None:
    """Gives the machine so much memory, in GB, and no place to swap it to."""
    found = SimpleNamespace(total=int(total * 1e9), available=int(free * 1e9))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: found)
    monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(total=0))
    monkeypatch.setattr(available_memory, "_GROUP_FILES", {})
