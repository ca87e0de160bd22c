"""Runs to which something happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from tests.faults.running import ENDLESS, Running, running_in
from tests.system.commands import Command, launch, role, start

__all__ = ["launch", "role", "start"]

Run = Callable[..., Running]


@pytest.fixture
def run(launch: Callable[..., Command], tmp_path: Path) -> Run:
    """Starts a run with flags beside those of `ENDLESS`, which they win over."""

    def _run(*flags: str) -> Running:
        return Running(launch("--root_dir=run", *ENDLESS, *flags), tmp_path / "run")

    return _run


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One run for all tests of a module: each leaves it well."""
    with running_in(tmp_path_factory.mktemp("endless")) as running:
        yield running
