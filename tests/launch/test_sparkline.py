"""launch/sparkline.py: values as characters."""

from __future__ import annotations

import pytest

from launch.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "▁▂▃▄▅▆▇█"),
        ([-20.0, 0.0, -10.0], "▁█▅"),
        ([3.0, 3.0], "▁▁"),
    ],
)
def test_the_lowest_is_low_and_the_highest_is_high(
    values: list[float], drawn: str
) -> None:
    """Wherever zero is, and if all are the same."""
    assert sparkline(values, ascii_only=False) == drawn


def test_a_terminal_without_blocks_gets_ascii() -> None:
    """As many characters."""
    drawn = sparkline([0.0, 100.0, 50.0], ascii_only=True)
    assert drawn.isascii()
    assert len(set(drawn)) == len(drawn) == 3
