"""Several runs side by side: those with the same settings are seeds of one group."""

from __future__ import annotations

import dataclasses
import statistics
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from plotly import graph_objects
from scipy import stats

from experiment import changes
from launch.report import look, returns_chart
from launch.report.returns_chart import Axis
from launch.report.run_files import Run

# Points of a mean, and how often the runs are drawn anew for its interval.
_GRID = 200
RESAMPLES = 2_000

_CONFIDENCE = 0.95

# Letters of a group's name in a label.
_NAME_LENGTH = 60


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs that differ by chance alone.

    Attributes:
      name: What tells it from the other groups.
      colour: In the picture.
      runs: One at least.
    """

    name: str
    colour: str
    runs: list[Run]

    @property
    def last_returns(self) -> np.ndarray:
        """Of each run that was judged."""
        judged = [run.returns[-1] for run in self.runs if run.returns]
        return np.array([row.average_return for row in judged])

    @property
    def last_interval(self) -> tuple[float, float] | None:
        """Of their mean; None if there are fewer than two."""
        returns = self.last_returns
        return interval(returns) if len(returns) > 1 else None

    @property
    def times_to_target_s(self) -> list[float]:
        """Of each run that reached its target."""
        times = [run.result.get("time_to_target_s") for run in self.runs]
        return [seconds for seconds in times if seconds is not None]

    @property
    def median_time_to_target_s(self) -> float | None:
        """Of those that reached it; None if none did."""
        times = self.times_to_target_s
        return statistics.median(times) if times else None


def grouped(runs: Sequence[Run]) -> list[Group]:
    """Puts runs with the same settings together, whatever their seed."""
    groups: dict[tuple[tuple[str, str], ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(sorted(settings(run).items())), []).append(run)
    names = [dict(key) for key in groups]
    return [
        Group(_name(own, names), look.PALETTE[number % len(look.PALETTE)], members)
        for number, (own, members) in enumerate(zip(names, groups.values()))
    ]


def settings(run: Run) -> dict[str, str]:
    """All that a run was given, but for its seed."""
    return {
        "--gin_file": run.manifest.gin_file,
        "--num_actors": str(run.manifest.num_actors),
        "--in_process": str(run.manifest.in_process),
        **changes.values(run.manifest.gin_text),
    }


def _name(own: dict[str, str], groups: Sequence[dict[str, str]]) -> str:
    """The preset; and what differs from other groups of the same preset."""
    alike = [each for each in groups if each["--gin_file"] == own["--gin_file"]]
    differs = [
        name
        for name in sorted({name for each in alike for name in each})
        if len({each.get(name) for each in alike}) > 1
    ]
    parts = [f"{name} = {own.get(name, 'default')}" for name in differs]
    return ", ".join([own["--gin_file"], *parts])


def interval(values: np.ndarray) -> tuple[Any, Any]:
    """Percentile bootstrap interval of the mean over runs.

    Args:
      values: Of shape [runs, ...], two runs at least.

    Returns:
      Its ends, of shape [...].
    """
    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=_CONFIDENCE,
        method="percentile",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return found.low, found.high


def curves(runs: Sequence[Run], axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """The returns of all runs at the same places: where each run has been judged.

    Returns:
      The places, and for each run its returns there, of shape [runs, places]; none if
      there is no such place.
    """
    at = [axis.of(run.returns) for run in runs]
    first, last = max(each.min() for each in at), min(each.max() for each in at)
    places = np.linspace(first, last, _GRID if first < last else 0)
    rows = []
    for run, own in zip(runs, at):
        order = np.argsort(own, kind="stable")  # A learner may have gone back.
        returns = np.array([row.average_return for row in run.returns])
        rows.append(np.interp(places, own[order], returns[order]))
    return places, np.array(rows)


def draw(groups: Sequence[Group], axis: Axis) -> graph_objects.Figure:
    """Each group's mean with its interval; and each run, thin.

    Args:
      groups: Of which one has an evaluation at least.
      axis: What is drawn over.
    """
    figure = graph_objects.Figure()
    for group in groups:
        judged = [run for run in group.runs if run.returns]
        name = look.plain(textwrap.shorten(group.name, _NAME_LENGTH))
        if len(judged) == 1:
            figure.add_trace(_run(judged[0], group, axis).update(name=name))
        elif judged:
            thin = {"line": {"width": 1}, "opacity": 0.45, "hoverinfo": "skip"}
            figure.add_traces([_run(run, group, axis).update(**thin) for run in judged])
            figure.add_traces(_mean(judged, group.colour, name, axis))
    return look.laid_out(figure, height=440, xaxis=axis.layout, showlegend=False)


def _run(run: Run, group: Group, axis: Axis) -> graph_objects.Scatter:
    """A run of its own."""
    parts = returns_chart.segments(returns_chart.thinned(run.returns))
    return graph_objects.Scatter(
        x=look.opened([axis.of(part) for part in parts]),
        y=look.opened([[row.average_return for row in part] for part in parts]),
        mode="lines",
        line={"color": group.colour, "width": 3},
        hovertemplate="%{y:.1f}",
    )


def _mean(
    runs: Sequence[Run], colour: str, name: str, axis: Axis
) -> list[graph_objects.Scatter]:
    """The mean of several runs, and its interval; none where not all were judged."""
    places, returns = curves(runs, axis)
    if not len(places):
        return []
    low, high = interval(returns)
    mean = graph_objects.Scatter(
        x=places,
        y=returns.mean(axis=0),
        mode="lines",
        name=name,
        line={"color": colour, "width": 3},
        customdata=np.stack([low, high], axis=1),
        hovertemplate="%{y:.1f} (%{customdata[0]:.1f} to %{customdata[1]:.1f})",
    )
    return [look.band([places], [low], [high], colour, 0.2, ""), mean]
