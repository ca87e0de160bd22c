"""The curve of a run's average return, over each of three axes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from plotly import graph_objects
from scipy import special

from eval_job.returns_file import Row
from launch.report import look
from launch.report.run_files import Run

# Of one line, at most.
_EVALUATIONS = 1_000

# With fewer, each evaluation is a dot.
_DOTS = 200

# Where an axis ends if the only evaluations are at 0.
_FIRST = 1_000

_CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Axis:
    """What evaluations are drawn over.

    Attributes:
      column: Of the file of returns.
      title: For people.
    """

    column: str
    title: str

    @property
    def layout(self) -> dict[str, Any]:
        """The x axis of a figure."""
        if self.column == "wall_time_s":
            return look.time_axis(title=self.title)
        return {"title": self.title, "rangemode": "tozero", **look.NUMBERS}

    def of(self, rows: Sequence[Row]) -> np.ndarray:
        """Where evaluations are, in Plotly's units."""
        unit = look.MS if self.column == "wall_time_s" else 1
        return np.array([getattr(row, self.column) for row in rows], float) * unit


WALL_TIME = Axis("wall_time_s", "wall time")
AXES = (
    Axis("train_step", "train steps"),
    Axis("env_steps", "environment steps"),
    WALL_TIME,
)


def draw(run: Run, axis: Axis) -> graph_objects.Figure:
    """The curve with its interval, the random policy and the target.

    Args:
      run: With one evaluation at least.
      axis: What it is drawn over.
    """
    parts = segments(thinned(run.returns))
    worst = [[row.min_return for row in part] for part in parts]
    best = [[row.max_return for row in part] for part in parts]
    low = [[interval(row)[0] for row in part] for part in parts]
    high = [[interval(row)[1] for row in part] for part in parts]
    at = [axis.of(part) for part in parts]
    figure = graph_objects.Figure(
        [
            look.band(at, worst, best, look.BLUE, 0.10, "worst to best episode"),
            look.band(at, low, high, look.BLUE, 0.25, "95 % interval of the mean"),
            *levels(run, [0, max(each.max() for each in at) or _FIRST]),
            curve(parts, axis),
        ]
    )
    return look.laid_out(figure, height=400, xaxis=axis.layout, showlegend=True)


def thinned(rows: Sequence[Row]) -> list[Row]:
    """Evenly chosen evaluations if there are too many, the last one among them."""
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _EVALUATIONS))
    return [rows[index] for index in chosen.astype(int)]


def segments(rows: Sequence[Row]) -> list[list[Row]]:
    """Evaluations in order of time, cut where a learner went back to a snapshot."""
    parts: list[list[Row]] = []
    for row in rows:
        if not parts or row.train_step < parts[-1][-1].train_step:
            parts.append([])
        parts[-1].append(row)
    return parts


def interval(row: Row) -> tuple[float, float]:
    """Student's interval of the mean return over the episodes of an evaluation.

    `std_return` is that of the population, so the root is of one episode fewer.
    """
    if row.episodes < 2:  # noqa: PLR2004  (one episode has no interval)
        return math.nan, math.nan
    freedom = row.episodes - 1
    times = float(special.stdtrit(freedom, (1 + _CONFIDENCE) / 2))
    half = times * row.std_return / math.sqrt(freedom)
    return row.average_return - half, row.average_return + half


def curve(parts: Sequence[Sequence[Row]], axis: Axis) -> graph_objects.Scatter:
    """The averages; open between the parts."""
    rows = [row for part in parts for row in part]
    return graph_objects.Scatter(
        x=look.opened([axis.of(part) for part in parts]),
        y=look.opened([[row.average_return for row in part] for part in parts]),
        mode="lines+markers" if len(rows) <= _DOTS else "lines",
        name="average return",
        line={"color": look.BLUE, "width": 2},
        marker={"size": 6},
        customdata=look.opened([[row.train_step for row in part] for part in parts]),
        hovertemplate="%{y:.1f} at train step %{customdata:,}",
    )


def levels(run: Run, ends: Sequence[float]) -> list[graph_objects.Scatter]:
    """What to compare with, as lines from end to end."""
    wanted = []
    if run.baseline:
        average = run.baseline.average_return
        name = f"random policy ({average:.1f})"
        wanted.append((average, name, look.GREY, "dot"))
    if run.target is not None:
        wanted.append((run.target, f"target ({run.target:g})", look.GREEN, "dash"))
    return [
        graph_objects.Scatter(
            x=ends,
            y=[value, value],
            mode="lines",
            name=name,
            line={"color": colour, "dash": dash, "width": 2},
            hoverinfo="skip",
        )
        for value, name, colour, dash in wanted
    ]
