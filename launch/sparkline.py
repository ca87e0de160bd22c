"""A curve of one line of text."""

from __future__ import annotations

from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = "_.-=+*#@"  # From low to high ink, for terminals without the blocks.


def sparkline(values: Sequence[float], ascii_only: bool) -> str:
    """Draws values, each as one character, from the lowest to the highest.

    Args:
      values: At least one.
      ascii_only: Whether the terminal knows no blocks.
    """
    levels = _ASCII if ascii_only else _BLOCKS
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(
        levels[min(int((value - low) / span * len(levels)), len(levels) - 1)]
        for value in values
    )
