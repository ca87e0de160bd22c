"""Presets: the gin files in `configs/`, found by name."""

from __future__ import annotations

import contextlib
from pathlib import Path

from experiment.errors import ConfigurationError

DEFAULT_PRESET = "dqn_cartpole.gin"
PRESETS = Path(__file__).resolve().parent.parent / "configs"


def find_preset(name: str) -> Path:
    """Finds a gin file: a path as given, or the name of a preset in `configs/`.

    Raises:
      ConfigurationError: There is no such file.
    """
    if found := find_file(name):
        return found.resolve()
    presets = ", ".join(sorted(path.name for path in PRESETS.glob("*.gin")))
    raise ConfigurationError(
        f"--gin_file is {name!r}, which is neither a file nor a preset ({presets})."
    )


def find_file(name: str | Path) -> Path | None:
    """A gin file by its path, else a preset: so gin finds what a file includes.

    The name of a preset may come without its `.gin`.
    """
    for path in (Path(name), PRESETS / name, PRESETS / f"{name}.gin"):
        with contextlib.suppress(OSError):  # The name is too long for a path.
            if path.is_file():
                return path
    return None
