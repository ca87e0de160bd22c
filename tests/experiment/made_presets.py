"""All presets, for tests that make what they bind."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from experiment import presets

needs_envpool = pytest.mark.skipif(
    importlib.util.find_spec("envpool") is None,
    reason="EnvPool is not installed: pip install -e '.[envpool]'",
)

# Factories of environments that need it.
_OF_ENVPOOL = ("@envpool_environment", "@atari_environment")


def _can_be_made(path: Path) -> Any:
    """The preset; skipped where an extra that it needs is not installed."""
    text = path.read_text()
    marks = [needs_envpool] if any(name in text for name in _OF_ENVPOOL) else []
    return pytest.param(path, marks=marks, id=path.stem)


PATHS = sorted(presets.PRESETS.glob("*.gin"))
PRESETS = [_can_be_made(path) for path in PATHS]
