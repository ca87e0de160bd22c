"""eval_job/plot.py: the picture is drawn, and shows what it was given."""

from __future__ import annotations

from pathlib import Path

import matplotlib.colors
import numpy as np
import pytest
from matplotlib import image
from matplotlib import pyplot as plt

from eval_job.plot import plot_returns
from eval_job.returns_file import Row


def row(train_step: int, average: float) -> Row:
    """An evaluation with some spread."""
    return Row(train_step, 0, 1.0, average, 2.0, average - 5, average + 5, 10)


CURVE = [row(step, step / 10) for step in range(0, 5_000, 500)]


def draw(
    path: Path, rows: list[Row], baseline: Row | None, target: float | None
) -> np.ndarray:
    """The pixels of the file, RGBA."""
    plot_returns(path, rows, baseline, target, "test.gin, seed 1, 2 actors")
    assert path.read_bytes().startswith(b"\x89PNG")
    pixels: np.ndarray = image.imread(path)
    return pixels


def count(pixels: np.ndarray, color: str) -> int:
    """How many pixels have exactly this color."""
    wanted = np.array(matplotlib.colors.to_rgb(color))
    return int(np.all(np.abs(pixels[..., :3] - wanted) < 2 / 255, axis=-1).sum())


@pytest.mark.parametrize("baseline", [None, row(0, 20.0)])
@pytest.mark.parametrize("target", [None, 475.0])
def test_the_lines_that_are_known_are_drawn(
    tmp_path: Path, baseline: Row | None, target: float | None
) -> None:
    """And no others."""
    pixels = draw(tmp_path / "returns.png", CURVE, baseline, target)
    assert pixels.shape[:2] == (540, 960)
    assert count(pixels, "tab:blue") > 500
    assert (count(pixels, "tab:gray") > 280) == (
        baseline is not None
    )  # Text has some too.
    assert (count(pixels, "tab:green") > 300) == (target is not None)


def test_the_spread_of_the_episodes_is_shaded(tmp_path: Path) -> None:
    """From the worst to the best: wider if they lie further apart."""
    narrow = draw(tmp_path / "narrow.png", CURVE, None, None)
    wide = draw(
        tmp_path / "wide.png",
        [
            Row(r.train_step, 0, 1.0, r.average_return, 0.0, -300.0, 900.0, 10)
            for r in CURVE
        ],
        None,
        None,
    )
    blank = [
        int((pixels[..., :3] == 1).all(axis=-1).sum()) for pixels in (narrow, wide)
    ]
    assert blank[0] > 1.3 * blank[1]


def test_a_single_evaluation_can_be_seen(tmp_path: Path) -> None:
    """A line through one point has no length, so the point itself is drawn."""
    pixels = draw(tmp_path / "returns.png", [row(0, 9.5)], None, None)
    assert pixels.shape[:2] == (540, 960)
    body = pixels[80:-80, 100:-100]  # Without the legend's own mark, mostly.
    assert count(body, "tab:blue") >= 5


def test_an_earlier_picture_is_replaced_and_no_figure_stays_open(
    tmp_path: Path,
) -> None:
    """An open figure is memory that is never given back."""
    path = tmp_path / "returns.png"
    first = draw(path, CURVE, None, None)
    second = draw(path, CURVE[:3], None, None)
    assert not np.array_equal(first, second)
    assert plt.get_fignums() == []
