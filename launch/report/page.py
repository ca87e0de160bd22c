"""The page: text and pictures of one run, or of several, put into the templates."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
from plotly import graph_objects, offline

from experiment import run_dir
from launch.duration import duration
from launch.report import compare, events, returns_chart, run_files, time_chart, words
from launch.report.events import END, FAULT, NOTICE, RESUME
from launch.report.run_files import Run

# Larger videos stay files of their own.
_MOST_VIDEO_BYTES = 20_000_000

_MARKS = {FAULT.name: "▲", NOTICE.name: "◆", RESUME.name: "▶", END.name: "■"}
_MEANINGS = {
    FAULT.name: "a process ended that should not have",
    NOTICE.name: "something stood still, or could not be stored",
    RESUME.name: "the run was resumed",
    END.name: "it ended: last evaluation, checkpoint and videos follow",
}


def write(root_dirs: Sequence[Path], output: Path) -> None:
    """Writes the report.

    Args:
      root_dirs: Folders of the runs; several are put side by side.
      output: The HTML file.

    Raises:
      ConfigurationError: In one of the folders is no run.
      OSError: The file cannot be written.
    """
    runs = [run_files.read(root_dir) for root_dir in root_dirs]
    text = _one(runs[0]) if len(runs) == 1 else _several(runs)
    run_dir.write_text(output, text)


def _one(run: Run) -> str:
    figures = {}
    if run.returns:
        figures = {
            axis.column: returns_chart.draw(run, axis) for axis in returns_chart.AXES
        }
    over_time = time_chart.draw(run)
    if over_time is not None:
        figures["time"] = over_time
    happened = sorted(events.of(run), key=lambda event: event.seconds)
    kinds = {event.kind.name: event.kind for event in happened}
    machine, versions = words.machine_and_versions(run)
    return _rendered(
        "run.html.jinja",
        figures,
        run=run,
        status=run.status.replace("_", " "),
        in_process=words.in_process(run),
        tiles=words.tiles(run),
        bottleneck=words.bottleneck(run),
        drawn=len(returns_chart.thinned(run.returns)),
        went_back=len(returns_chart.segments(run.returns)) > 1,
        videos={name: _video(path) for name, path in run.videos.items()},
        kinds=[(kind, _MARKS[name], _MEANINGS[name]) for name, kind in kinds.items()],
        marks=_MARKS,
        processes=words.processes(run),
        happened=happened,
        faulty=bool({FAULT.name, NOTICE.name} & kinds.keys()),
        gin_link=_link("text/plain", run.manifest.gin_text.encode()),
        commands=words.commands(run),
        machine=machine,
        versions=versions,
    )


def _several(runs: Sequence[Run]) -> str:
    groups = compare.grouped(runs)
    figures = {}
    if any(run.returns for run in runs):
        figures = {
            axis.column: compare.draw(groups, axis) for axis in returns_chart.AXES
        }
    return _rendered(
        "comparison.html.jinja",
        figures,
        resamples=compare.RESAMPLES,
        runs=runs,
        groups=groups,
    )


def _rendered(
    template: str, figures: Mapping[str, graph_objects.Figure], **values: Any
) -> str:
    """The page of a template, with its figures and what draws them."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    parts = [f'"{name}": {figure.to_json()}' for name, figure in figures.items()]
    # In a script, `<` could end it.
    data = "{" + ", ".join(parts).replace("<", "\\u003c") + "}"
    return environment.get_template(template).render(
        made_at=words.date(time.time()),
        plotly_js=markupsafe.Markup(offline.get_plotlyjs()),
        figures=markupsafe.Markup(data),
        figure_names=list(figures),
        axes=returns_chart.AXES,
        duration=duration,
        plural=words.plural,
        **values,
    )


def _link(kind: str, content: bytes) -> str:
    """A link to what is in the page itself."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _video(path: Path) -> str | None:
    """None if it is too large."""
    if path.stat().st_size > _MOST_VIDEO_BYTES:
        return None
    return _link("video/mp4", path.read_bytes())
