"""launch/duration.py: how long something took, or will."""

from __future__ import annotations

import pytest

from launch.duration import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00:00"), (3_725.9, "1:02:05"), (90_061, "1 d 1:01:01")],
)
def test_times_are_read_as_on_a_clock(seconds: float, text: str) -> None:
    """With days only if there are any."""
    assert duration(seconds) == text
