"""Runs to which something happens."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from tests.faults.running import ENDLESS, Running
from tests.system.commands import Command, launch, role, start

__all__ = ["launch", "role", "start"]

Run = Callable[..., Running]


@pytest.fixture
def run(launch: Callable[..., Command], tmp_path: Path) -> Run:
    """Starts a run with flags beside those of `ENDLESS`, which they win over."""

    def _run(*flags: str) -> Running:
        return Running(launch("--root_dir=run", *ENDLESS, *flags), tmp_path / "run")

    return _run
