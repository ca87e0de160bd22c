"""A short one of `benchmarks.chaos`: faults, a resume, the target, and nothing left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest


@pytest.mark.slow
def test_a_run_recovers_from_whatever_happens(
    role: Callable[..., Any], tmp_path: Path
) -> None:
    command = role("benchmarks.chaos", "--minutes=0.7", "--seed=3", "--json=found.json")
    assert command.wait(560) == 0, command.output
    command.assert_nothing_is_left(timeout_s=1)
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["rows"]
    assert found["summary"]["resumed at train step"] > 0
