"""The page: text and pictures of one run, or of several, put into the templates."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
from plotly import graph_objects, offline

from experiment import run_dir
from experiment.errors import ConfigurationError
from launch.duration import duration
from launch.report import (
    compare,
    events,
    returns_chart,
    run_files,
    time_chart,
    videos,
    words,
)
from launch.report.events import END, FAULT, NOTICE, RESUME
from launch.report.link import link
from launch.report.run_files import Run

_MARKS = {FAULT.name: "▲", NOTICE.name: "◆", RESUME.name: "▶", END.name: "■"}
_MEANINGS = {
    FAULT.name: "a process ended that should not have",
    NOTICE.name: "something stood still, or could not be stored",
    RESUME.name: "the run was resumed",
    END.name: "the run ended: last evaluation, checkpoint and videos follow",
}


def write(root_dirs: Sequence[Path], output: Path) -> None:
    """Writes the report.

    Args:
      root_dirs: Folders of the runs; several are put side by side.
      output: The HTML file.

    Raises:
      ConfigurationError: In one of the folders is no run, or in two the same.
      OSError: The file cannot be written.
    """
    runs = [run_files.read(root_dir) for root_dir in root_dirs]
    _require_different(runs)
    text = _one(runs[0]) if len(runs) == 1 else _several(runs)
    # The name of a folder need not be text.
    run_dir.write_text(output, text.encode(errors="replace").decode())


def _require_different(runs: Sequence[Run]) -> None:
    """Refuses to take one run for two seeds, e.g. `runs/latest` and what it is."""
    seen: dict[str, Path] = {}
    for run in runs:
        other = seen.setdefault(run.manifest.run_id, run.root_dir)
        if other is not run.root_dir:
            raise ConfigurationError(
                f"--root_dir {run.root_dir} holds the same run as {other} "
                f"({run.manifest.run_id}); name each run once."
            )


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
    processes = words.processes(run)
    machine, versions = words.machine_and_versions(run)
    return _rendered(
        "run.html.jinja",
        figures,
        run=run,
        status=run.status.replace("_", " "),
        tiles=words.tiles(run),
        bottleneck=words.bottleneck(run),
        drawn=len(returns_chart.thinned(run.returns)),
        went_back=len(returns_chart.segments(run.returns)) > 1,
        videos={name: videos.embedded(path) for name, path in run.videos.items()},
        gallery=videos.gallery(run.on_the_way),
        kinds=[(kind, _MARKS[name], _MEANINGS[name]) for name, kind in kinds.items()],
        marks=_MARKS,
        processes=processes,
        happened=happened,
        faulty=bool({FAULT.name, NOTICE.name} & kinds.keys()),
        made_anew=any(each.failures for each in processes),
        gin_link=link("text/plain", run.manifest.gin_text.encode()),
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
