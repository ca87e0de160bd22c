"""What happened to a run: faults, waits, resumes, on the run's clock."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence

import numpy as np
from plotly import graph_objects

from launch.report import look
from launch.report.run_files import Fault, Run
from launch.worker import cause

# Drawn of each kind, at most: the newest.
_MOST = 200


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of event, and how it is drawn."""

    name: str
    colour: str
    symbol: str


FAULT = Kind("fault", look.RED, "triangle-up")
NOTICE = Kind("notice", look.AMBER, "diamond")
RESUME = Kind("resume", look.VIOLET, "triangle-right")
END = Kind("end", look.GREY, "square")


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
      seconds: On the run's clock.
      kind: Of event.
      text: In one sentence.
    """

    seconds: float
    kind: Kind
    text: str


def of(run: Run) -> list[Event]:
    """All of a run, those of a kind in order of time."""
    found = [
        *((fault.time, FAULT, describe(fault)) for fault in run.faults),
        *((notice.time, NOTICE, notice.text) for notice in run.metrics.notices),
        *((at, RESUME, "resumed") for at in run.clock.resumed_at),
    ]
    if run.metrics.ended:
        status = str(run.metrics.ended.get("status")).replace("_", " ")
        found.append((run.metrics.ended["time"], END, f"the run has ended: {status}"))
    seconds = run.clock.seconds(np.array([at for at, _, _ in found]))
    return [Event(float(at), kind, text) for at, (_, kind, text) in zip(seconds, found)]


def describe(fault: Fault) -> str:
    """In one sentence."""
    after = f"{fault.role} {cause(fault.exit_code)} after {fault.lived_s:.0f} s"
    if fault.restart_in_s is None:
        return f"{after}, and was not started again"
    return f"{after}, and was started again in {fault.restart_in_s:.0f} s"


def markers(events: Sequence[Event], height: float) -> list[graph_objects.Scatter]:
    """The marks of all events, with their texts, at the height of a panel's floor."""
    kinds = {event.kind: None for event in events}
    return [
        graph_objects.Scatter(
            x=[event.seconds * look.MS for event in own],
            y=[height] * len(own),
            text=[_wrapped(event.text) for event in own],
            mode="markers",
            name=kind.name,
            marker={"color": kind.colour, "symbol": kind.symbol, "size": 9},
            cliponaxis=False,
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
        )
        for kind in kinds
        for own in [[event for event in events if event.kind == kind][-_MOST:]]
    ]


def lines(events: Sequence[Event]) -> list[dict[str, object]]:
    """A line over the whole height of the figure for each mark."""
    return [
        {
            "type": "line",
            "x0": mark,
            "x1": mark,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "layer": "below",
            "line": {"color": trace.marker.color, "width": 1, "dash": "dot"},
        }
        for trace in markers(events, 0.0)
        for mark in trace.x
    ]


def _wrapped(text: str) -> str:
    """For a label: short lines, and no markup."""
    return "<br>".join(look.plain(line) for line in textwrap.wrap(text, 70))
