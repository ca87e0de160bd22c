"""The figures of a run over its time: panels one above another, on one axis."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Callable

import numpy as np
from plotly import graph_objects

from launch.report import events as events_lib
from launch.report import look, returns_chart, series
from launch.report.metrics import Points
from launch.report.run_files import Run
from launch.report.series import Line
from reverb_server import figures

# Heights in pixels.
_PANEL, _TITLE, _BOTTOM = 112, 44, 52

_COLOURS = {
    figures.SERVER: look.VIOLET,
    figures.ACTOR: look.BLUE,
    figures.LEARNER: look.ORANGE,
    figures.EVAL_JOB: look.GREEN,
}
_NAMES = {
    figures.SERVER: "replay server",
    figures.ACTOR: "actors",
    figures.LEARNER: "learner",
    figures.EVAL_JOB: "eval job",
}
_MIB_PER_GIB = 1024


@dataclasses.dataclass(frozen=True)
class Panel:
    """One set of axes.

    Attributes:
      title: What is drawn, and its unit.
      traces: Lines, and areas between lines, which have no name.
      ticks: How the y axis writes its numbers.
    """

    title: str
    traces: list[graph_objects.Scatter]
    ticks: dict[str, Any] = dataclasses.field(default_factory=look.NUMBERS.copy)

    @property
    def floor(self) -> float:
        """The lowest value of the y axis, which begins at 0 or below."""
        lowest = [np.nanmin(trace.y) for trace in self.traces]
        return float(min([0.0, *lowest]))


def draw(run: Run) -> graph_objects.Figure | None:
    """All panels that have anything to show; None if none has."""
    panels = [panel for panel in (make(run) for make in _PANELS) if panel.traces]
    if not panels:
        return None
    events = events_lib.of(run)
    axis = look.time_axis(
        range=_ends(run),
        anchor=_axis(len(panels)),
        showspikes=True,
        spikemode="across",
        spikethickness=1,
        spikedash="solid",
        spikecolor=look.GREY,
        title="wall time",
    )
    figure = graph_objects.Figure()
    for number, panel in enumerate(panels, start=1):
        for trace in [*panel.traces, *events_lib.markers(events, panel.floor)]:
            figure.add_trace(trace.update(yaxis=_axis(number)))
        _place(figure, panel, number, len(panels))
    height = len(panels) * (_TITLE + _PANEL) + _BOTTOM
    look.laid_out(figure, height, xaxis=axis, showlegend=False)
    return figure.update_layout(
        margin={"t": 0, "b": _BOTTOM}, shapes=events_lib.lines(events)
    )


def _place(figure: graph_objects.Figure, panel: Panel, number: int, of: int) -> None:
    """Gives a panel its axis, and its title above."""
    bottom, share = 1 - number / of, 1 / of
    top = bottom + share * _PANEL / (_TITLE + _PANEL)
    figure.update_layout(
        {
            f"yaxis{number}": {
                "domain": [max(0.0, bottom), top],
                "rangemode": "tozero",
                "nticks": 5,
                **panel.ticks,
            }
        }
    )
    names = [
        f'<span style="color:{trace.line.color}">{trace.name}</span>'
        for trace in panel.traces
        if trace.name
    ]
    figure.add_annotation(
        text="&nbsp;&nbsp;&nbsp;".join([f"<b>{panel.title}</b>", *names]),
        xref="paper",
        yref="paper",
        x=0,
        y=top,
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
    )


def _ends(run: Run) -> list[float]:
    """Of the time axis."""
    return [0.0, run.wall_time_s * look.MS]


def _axis(number: int) -> str:
    """Plotly's name of a y axis, counted from 1."""
    return f"y{number if number > 1 else ''}"


def _line(
    line: Line, name: str, colour: str, form: str = ",.0f", dash: str = "solid"
) -> list[graph_objects.Scatter]:
    """One line; none if there is nothing to draw."""
    if line.is_empty:
        return []
    return [
        graph_objects.Scatter(
            x=line.seconds * look.MS,
            y=line.values,
            mode="lines" if len(line.seconds) > 1 else "markers",
            name=name,
            line={"color": colour, "width": 2, "dash": dash},
            hovertemplate=f"%{{y:{form}}}",
        )
    ]


def _of_one(run: Run, role: str, figure: str) -> Line:
    """A figure of a role that has one process."""
    lives = run.metrics.of(role)
    return series.of_one([life.points(figure) for life in lives], run.clock)


def _spread(
    run: Run, role: str, points: Sequence[Points], form: str
) -> list[graph_objects.Scatter]:
    """The mean of a role's processes, and the area from the lowest to the highest."""
    spread = series.of_all(points, run.clock)
    traces = _line(spread.mean, _NAMES[role], _COLOURS[role], form)
    if traces and len({life.task for life in run.metrics.of(role)}) > 1:
        low, high = series.parts(spread.lowest), series.parts(spread.highest)
        at = [part.seconds * look.MS for part in low]
        ends = [part.values for part in low], [part.values for part in high]
        traces.insert(0, look.band(at, *ends, _COLOURS[role], 0.2, ""))
    return traces


def _returns(run: Run) -> Panel:
    """So that what happened can be seen beside what was learned."""
    if not run.returns:
        return Panel("Return", [])
    axis = returns_chart.WALL_TIME
    parts = returns_chart.segments(returns_chart.thinned(run.returns))
    curve = returns_chart.curve(parts, axis).update(marker={"size": 4})
    return Panel("Return", [*returns_chart.levels(run, _ends(run)), curve])


def _env_steps(run: Run) -> Panel:
    line = _of_one(run, figures.SERVER, "env_steps_per_s")
    return Panel("Env steps/s", _line(line, "of all actors", look.BLUE))


def _updates(run: Run) -> Panel:
    line = _of_one(run, figures.LEARNER, "updates_per_s")
    return Panel("Updates/s", _line(line, "gradient steps", look.ORANGE))


def _replay(run: Run) -> Panel:
    size = _of_one(run, figures.SERVER, "replay_size")
    most = _of_one(run, figures.SERVER, "replay_max_size")
    lines = [
        *_line(most, "most that are kept", look.GREY, dash="dash"),
        *_line(size, "in the table", look.VIOLET),
    ]
    return Panel("Replay, transitions", lines)


def _limiter(run: Run) -> Panel:
    got = _of_one(run, figures.SERVER, "samples_per_insert")
    wanted = _of_one(run, figures.SERVER, "samples_per_insert_wanted")
    lines = [
        *_line(wanted, "wanted", look.GREY, ",.4~g", dash="dash"),
        *_line(got, "over 10 s", look.VIOLET, ",.4~g"),
    ]
    return Panel("Samples per insert", lines if not got.is_empty else [])


def _lag(run: Run) -> Panel:
    named = (
        ("policy_lag_p95", "95 % have less", look.AMBER),
        ("policy_lag_median", "half have less", look.ORANGE),
        ("policy_lag", "mean since the row before", look.GREY),
    )
    lines = [
        line
        for figure, name, colour in named
        for line in _line(_of_one(run, figures.LEARNER, figure), name, colour)
    ]
    return Panel("Policy lag, gradient steps", lines)


def _memory(run: Run) -> Panel:
    traces = []
    for role in figures.PROCESSES:
        points = [
            (times, mebibytes / _MIB_PER_GIB)
            for times, mebibytes in (
                life.points("memory_mb") for life in run.metrics.of(role)
            )
        ]
        traces += _spread(run, role, points, ".2f")
    return Panel("Memory, GiB", traces)


def _processors(run: Run) -> Panel:
    traces = []
    for role in figures.PROCESSES:
        points = [life.points("cpu_percent") for life in run.metrics.of(role)]
        traces += _spread(run, role, points, ".0f")
    return Panel("Processor time, % of a core", traces)


def _waited(run: Run) -> Panel:
    traces = []
    for role in (figures.ACTOR, figures.LEARNER):
        points = [life.shares_waited() for life in run.metrics.of(role)]
        traces += _spread(run, role, points, ".0%")
    return Panel("Waiting, share of the time", traces, {"tickformat": ".0%"})


_PANELS: tuple[Callable[[Run], Panel], ...] = (
    _returns,
    _env_steps,
    _updates,
    _waited,
    _replay,
    _limiter,
    _lag,
    _memory,
    _processors,
)
