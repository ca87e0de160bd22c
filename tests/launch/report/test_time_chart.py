"""launch/report/time_chart.py: panels over the run's time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from launch.report import run_files, time_chart
from tests.launch.report import a_folder

PANELS = (
    "Return",
    "Env steps/s",
    "Updates/s",
    "Waiting, share of the time",
    "Replay, transitions",
    "Samples per insert",
    "Policy lag, gradient steps",
    "Memory, GiB",
    "Processor time, % of a core",
)


def drawn(folder: Path) -> Any:
    """The figure of a folder's run."""
    return time_chart.draw(run_files.read(folder))


def titles(figure: Any) -> list[str]:
    return [each.text.split("</b>")[0][3:] for each in figure.layout.annotations]


def named(figure: Any, name: str) -> list[Any]:
    return [trace for trace in figure.data if trace.name == name]


def test_a_run_has_all_panels_on_one_axis(tmp_path: Path) -> None:
    """Over all of its time, in hours, minutes and seconds."""
    figure = drawn(a_folder.make(tmp_path))
    assert tuple(titles(figure)) == PANELS
    assert {trace.yaxis for trace in figure.data} == {
        "y",
        *(f"y{n}" for n in range(2, 10)),
    }
    assert {trace.xaxis for trace in figure.data} == {None}
    assert list(figure.layout.xaxis.range) == [0, 60_000]
    assert figure.layout.xaxis.hoverformat == "%-H:%M:%S"


def test_small_numbers_have_no_thousandths(tmp_path: Path) -> None:
    """Half an update a second is 0.5, not 500m; shares stay shares."""
    layout = drawn(a_folder.make(tmp_path)).layout
    updates, waiting = layout.yaxis3, layout.yaxis4
    assert updates.tickformat == "~g"
    assert updates.tickformatstops[0].dtickrange == (1, None)
    assert (waiting.tickformat, waiting.tickformatstops) == (".0%", ())


def test_panels_do_not_overlap(tmp_path: Path) -> None:
    """From the top to the bottom, with room for the titles."""
    layout = drawn(a_folder.make(tmp_path)).layout
    domains = [layout[f"yaxis{n if n > 1 else ''}"].domain for n in range(1, 10)]
    ends = [end for low, high in domains for end in (high, low)]
    assert all(above > below for above, below in zip(ends, ends[1:]))
    assert ends[-1] == 0
    titles_at = [each.y for each in layout.annotations]
    assert titles_at == [high for _, high in domains]


def test_faults_are_marked_in_each_panel(tmp_path: Path) -> None:
    figure = drawn(a_folder.make(tmp_path))
    marks = named(figure, "fault")
    assert len({mark.yaxis for mark in marks}) == len(PANELS)
    assert {mark.x for mark in marks} == {(30_000,)}
    assert "actor-1 was ended by SIGKILL" in marks[0].text[0]
    assert [line.x0 for line in figure.layout.shapes] == [30_000]


def test_actors_are_drawn_as_one(tmp_path: Path) -> None:
    """However many: a mean, and the area around it."""
    rounds = (a_folder.round_of_rows(n, actors=64) for n in range(10, 60, 2))
    rows = [row for rows in rounds for row in rows]
    a_folder.write_metrics(a_folder.make(tmp_path, []), rows)
    figure = drawn(tmp_path)
    assert len(named(figure, "actors")) == 3  # Waiting, memory, processor.
    assert len(figure.to_json()) < 100_000


def test_a_panel_without_figures_is_left_out(tmp_path: Path) -> None:
    """Old runs have fewer figures; losses that are null are none."""
    rows = [a_folder.row("learner", n, updates_per_s=5.0) for n in range(9)]
    a_folder.write_metrics(a_folder.make(tmp_path, []), rows)
    assert titles(drawn(tmp_path)) == [
        "Updates/s",
        "Memory, GiB",
        "Processor time, % of a core",
    ]


def test_a_run_of_which_nothing_is_known_has_no_figure(tmp_path: Path) -> None:
    (a_folder.make(tmp_path, []) / "metrics.jsonl").unlink()
    assert drawn(tmp_path) is None


def test_returns_below_zero_have_their_marks_below(tmp_path: Path) -> None:
    """On the floor of the panel, wherever that is."""
    returns = [a_folder.evaluation(n, -200.0 + n, n) for n in range(3)]
    figure = drawn(a_folder.make(tmp_path, returns))
    first, *others = [mark.y[0] for mark in named(figure, "fault")]
    assert first == -200
    assert set(others) == {0}
    assert all(np.isfinite(trace.y).any() for trace in figure.data)
