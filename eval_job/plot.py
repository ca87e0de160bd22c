"""The picture of a run: average return over train steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # No display is needed.

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from eval_job.returns_file import Row


def plot_returns(
    path: Path,
    rows: Sequence[Row],
    baseline: Row | None,
    target: float | None,
    title: str,
) -> None:
    """Draws the curve, the random baseline and the target.

    Args:
      path: PNG file to write.
      rows: Evaluations, at least one.
      baseline: Evaluation of the random policy.
      target: Average return wanted.
      title: What was learned.
    """
    figure, axes = plt.subplots(figsize=(8, 4.5), dpi=120, layout="constrained")
    _draw_evaluations(axes, rows)
    _draw_levels(axes, baseline, target)
    axes.set(xlabel="train steps", ylabel="return", title=title)
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize="small")
    figure.savefig(path)
    plt.close(figure)


def _draw_evaluations(axes: Axes, rows: Sequence[Row]) -> None:
    """The averages, and from worst to best."""
    steps = [row.train_step for row in rows]
    axes.fill_between(
        steps,
        [row.min_return for row in rows],
        [row.max_return for row in rows],
        color="tab:blue",
        alpha=0.15,
        linewidth=0,
        label="worst to best episode",
    )
    axes.plot(
        steps,
        [row.average_return for row in rows],
        color="tab:blue",
        marker="o",
        markersize=3,
        label=f"average of {rows[-1].episodes} greedy episodes",
    )


def _draw_levels(axes: Axes, baseline: Row | None, target: float | None) -> None:
    """What to compare with."""
    if baseline:
        axes.axhline(
            baseline.average_return,
            color="tab:gray",
            linestyle=":",
            label=f"random policy ({baseline.average_return:.1f})",
        )
    if target is not None:
        axes.axhline(
            target, color="tab:green", linestyle="--", label=f"target ({target:g})"
        )
