"""Commands and terminals as fixtures."""

from __future__ import annotations

from tests.launch.terminal import terminal
from tests.system.commands import launch, role, start

__all__ = ["launch", "role", "start", "terminal"]
