"""The commands of tests/system/commands.py as fixtures."""

from __future__ import annotations

from tests.system.commands import launch, role, start

__all__ = ["launch", "role", "start"]
