"""What all pictures have in common: colours that suit light and dark, axes, bands."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from plotly import graph_objects

# Of a second, in the dates of Plotly.
MS = 1_000

BLUE, ORANGE, GREEN = "#3b82f6", "#ea7317", "#1a9e60"
VIOLET, RED, AMBER, GREY = "#9b6ef3", "#e5484d", "#c98a04", "#8b929c"
PALETTE = (BLUE, ORANGE, GREEN, VIOLET, RED, AMBER, "#0ea5b7", "#d6559f")

# How an axis writes numbers of any size: 0.5, 20, 3k.
NUMBERS = {
    "tickformat": "~g",
    "tickformatstops": [{"dtickrange": [1, None], "value": "~s"}],
}

# Visible on light and on dark; the page colours the text.
_GRID = "rgba(128, 128, 128, 0.22)"


def laid_out(
    figure: graph_objects.Figure, height: int, **layout: Any
) -> graph_objects.Figure:
    """Gives a figure the layout of all."""
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 58, "r": 14, "t": 34, "b": 52},
        hovermode="x unified",
        hoverlabel={"align": "left", "namelength": -1},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        font={"family": "system-ui, sans-serif", "size": 13},
        **layout,
    )
    figure.update_xaxes(
        gridcolor=_GRID,
        zeroline=False,
        ticks="outside",
        ticklen=6,
        tickcolor=_GRID,
        title={"standoff": 10, "font": {"size": 13}},
    )
    figure.update_yaxes(gridcolor=_GRID, zerolinecolor=_GRID, zerolinewidth=1)
    return figure


def time_axis(**layout: Any) -> dict[str, Any]:
    """The x axis over a run's clock; as dates, so that its ticks are even times."""
    stops = [
        {"dtickrange": [None, 86_400_000], "value": "%-H:%M:%S"},
        {"dtickrange": [86_400_000, None], "value": "day %-j"},
    ]
    return {
        "type": "date",
        "tickformatstops": stops,
        "hoverformat": "%-H:%M:%S",
        **layout,
    }


def opened(parts: Sequence[Sequence[float] | np.ndarray]) -> np.ndarray:
    """Parts one after another, a NaN between each two."""
    columns: list[Any] = []
    for part in parts:
        columns += [part, [np.nan]]
    return np.concatenate(columns[:-1]) if columns else np.empty(0)


def band(
    at: Sequence[Sequence[float] | np.ndarray],
    low: Sequence[Sequence[float] | np.ndarray],
    high: Sequence[Sequence[float] | np.ndarray],
    colour: str,
    opacity: float,
    name: str,
) -> graph_objects.Scatter:
    """The area between two lines, each in parts."""
    shapes = [
        (np.concatenate([x, x[::-1]]), np.concatenate([a, b[::-1]]))
        for x, a, b in zip(at, low, high)
    ]
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return graph_objects.Scatter(
        x=opened([x for x, _ in shapes]),
        y=opened([y for _, y in shapes]),
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=f"rgba({red}, {green}, {blue}, {opacity})",
        name=name,
        hoverinfo="skip",
    )


def plain(text: str) -> str:
    """Text from files in a picture: no markup."""
    return html.escape(text, quote=False)
