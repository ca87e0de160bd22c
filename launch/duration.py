"""Lengths of time, as people read them."""

from __future__ import annotations

_SECONDS_OF_DAY = 86_400


def duration(seconds: float) -> str:
    """A length of time: hours, minutes and seconds, with days if there are any."""
    days, rest = divmod(int(seconds), _SECONDS_OF_DAY)
    text = f"{rest // 3_600}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days} d {text}" if days else text
