"""docs/results.md: what every preset has learned, and by which command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiment import presets
from tests.docs.markdown import ROOT

RESULTS = ROOT / "docs" / "results.md"


def rows() -> dict[str, str]:
    """The lines of the table, by name."""
    lines = RESULTS.read_text().splitlines()
    found = (re.match(r"\| (\w+) +\|", line) for line in lines)
    return {match[1]: match.string for match in found if match}


@pytest.mark.parametrize(
    "path", sorted(presets.PRESETS.glob("*.gin")), ids=lambda path: path.stem
)
def test_each_preset_has_its_results(path: Path) -> None:
    """With the curve, and the command that names the preset."""
    row = rows()[path.stem]
    assert f"--preset={path.name}" in row
    assert (RESULTS.parent / "images" / "results" / f"{path.stem}.png").is_file()
