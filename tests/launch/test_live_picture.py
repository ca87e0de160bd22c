"""launch/live_picture.py: a run drawn within a terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.segment import Segment

from launch.live_picture import picture
from launch.progress import Progress
from launch.state import Life, ProcessState, RunState
from tests.launch.rows import LEARNER, SERVER, Metrics, actors, evaluation, run_of

BAR = 18  # Columns of a bar in a terminal of 80.

OTHERS = [
    ProcessState(role, 0, role, Life.RUNNING, silent_s=1.0, memory_mb=500.0)
    for role in ("reverb_server", "learner", "eval_job")
]


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    """Holds nothing yet."""
    return Metrics(tmp_path)


def console(width: int = 80, height: int = 24, encoding: str = "utf-8") -> Console:
    """A terminal of this size."""
    return Console(
        file=io.TextIOWrapper(io.BytesIO(), encoding=encoding),
        width=width,
        height=height,
        force_terminal=True,
        _environ={"TERM": "xterm-256color"},
    )


def drawn(state: RunState, terminal: Console | None = None) -> list[str]:
    """The lines of a picture, without its colours."""
    lines = picture(terminal or console(), state)
    return ["".join(segment.text for segment in line).rstrip() for line in lines]


def row(lines: list[str], name: str) -> str:
    """The line that begins with a name."""
    [found] = [line for line in lines if line.startswith(f"{name} ")]
    return found


def training(metrics: Metrics, *rows: dict[str, Any]) -> Progress:
    """A run in the midst of its training."""
    return metrics.progress(
        {**SERVER, "samples_per_insert": 31.94, "samples_per_insert_wanted": 32},
        {**LEARNER, "max_train_steps": 30_000},
        evaluation(30.0, train_step=0, target_return=475.0),
        evaluation(142.04, train_step=500),
        evaluation(106.4, train_step=1_000),
        *rows,
    )


def test_all_that_one_wants_to_know_is_there(metrics: Metrics) -> None:
    """How far, how good, how full, how fast, and who does what."""
    states = [*OTHERS, *actors([Life.RUNNING] * 2, per_s=650.4, waited=0.07)]
    lines = drawn(run_of(training(metrics), *states, seconds=42, random_return=20.0))
    assert lines[0] == "0:00:42  training: nobody waits for anybody"
    assert row(lines, "train step").endswith("6,789 of 30,000, 251/s")
    assert row(lines, "return").endswith("106.4 of 475, best 142.0, random 20.0")
    assert "▁█▆" in row(lines, "last returns")
    assert row(lines, "last returns").endswith("30.0 to 142.0")
    assert row(lines, "replay").endswith("5,000 of 100,000, env steps 12,345")
    assert row(lines, "samples").endswith("31.9 per insert, 32 wanted")
    assert row(lines, "policy lag").endswith("31 train steps on average")
    assert row(lines, "learner").split() == [
        "learner",
        "running",
        "500",
        "MiB",
        "0",
        "1",
        "s",
    ]
    assert row(lines, "actor-1").split()[:4] == ["actor-1", "running", "650", "steps/s"]
    assert "7%" in row(lines, "actor-1")


def test_before_the_first_figures_the_processes_are_shown(metrics: Metrics) -> None:
    """And no empty rows."""
    states = actors([Life.STARTING] * 2)
    lines = drawn(run_of(Progress(metrics.path), *states, seconds=3))
    assert lines[0].startswith("0:00:03  starting")
    assert row(lines, "actor-0").split() == ["actor-0", "starting", "0"]
    assert not [line for line in lines if line.startswith(("return", "replay"))]


def bar_of(lines: list[list[Segment]], name: str) -> int:
    """Columns of a bar that are filled."""
    [line] = [line for line in lines if line and line[0].text.startswith(name)]
    return sum(
        len(segment.text)
        for segment in line
        if segment.style and segment.style.color and "━" in segment.text
    )


@pytest.mark.parametrize(
    ("average", "share"), [(10.0, 0.0), (20.0, 0.0), (247.5, 0.5), (480.0, 1.0)]
)
def test_the_return_is_on_its_way_from_random_to_the_target(
    average: float, share: float, metrics: Metrics
) -> None:
    """Below the random policy is no way at all."""
    progress = training(metrics, evaluation(average, train_step=9_000))
    lines = picture(console(), run_of(progress, random_return=20.0))
    assert bar_of(lines, "return") == pytest.approx(share * BAR, abs=1)


def test_troubles_are_below_the_table_and_the_stall_on_top(metrics: Metrics) -> None:
    """For as long as they last."""
    progress = training(
        metrics,
        {**SERVER, "stall": "the learner waits because no actor inserts"},
        {**LEARNER, "problem": "no space left"},
    )
    lines = drawn(run_of(progress, *OTHERS))
    assert lines[0].endswith("waiting: the learner waits because no actor inserts")
    assert lines[-1] == "problem: learner: no space left"


def test_a_restart_is_counted_down(metrics: Metrics) -> None:
    """With the restarts so far."""
    dead = ProcessState(
        "actor", 0, "actor-0", Life.RESTARTING, restart_in_s=7.6, restarts=3
    )
    words = row(drawn(run_of(training(metrics), *OTHERS, dead)), "actor-0").split()
    assert words == ["actor-0", "restarting", "in", "8", "s", "3"]


@pytest.mark.parametrize("count", [2, 64, 500])
@pytest.mark.parametrize("size", [(80, 24), (200, 50), (40, 10), (20, 3)])
def test_the_picture_fits_the_terminal(
    count: int, size: tuple[int, int], metrics: Metrics
) -> None:
    """However many actors there are."""
    terminal = console(*size)
    states = [*OTHERS, *actors([Life.RUNNING] * count, per_s=1_000.0, cpu_percent=9.0)]
    progress = training(metrics, {**SERVER, "stall": "a long sentence " * 20})
    lines = picture(terminal, run_of(progress, *states))
    assert len(lines) < size[1]
    assert max(Segment.get_line_length(line) for line in lines) <= size[0]


def test_of_many_actors_those_in_trouble_are_named(metrics: Metrics) -> None:
    """The others are counted, by what they do; what they do is added up."""
    lives = [Life.RUNNING] * 60 + [Life.STARTING] * 2 + [Life.SILENT]
    states = actors([*lives, Life.RESTARTING], per_s=10.0, memory_mb=500.0)
    lines = drawn(run_of(training(metrics), *OTHERS, *states))
    assert row(lines, "actor-63").split()[1] == "restarting"
    assert row(lines, "actor-62").split()[1] == "silent"
    assert row(lines, "60 actors").split()[2:6] == [
        "running",
        "600",
        "steps/s",
        "30,000",
    ]
    assert row(lines, "2 actors").split()[2] == "starting"
    assert row(lines, "learner")
    assert not [line for line in lines if line.startswith("actor-0 ")]


def test_more_troubles_than_there_is_room_for_are_counted_too(metrics: Metrics) -> None:
    """None is lost."""
    states = actors([Life.SILENT] * 64)
    lines = drawn(run_of(training(metrics), *OTHERS, *states))
    alone = [line for line in lines if line.startswith("actor-")]
    assert alone
    assert row(lines, f"{64 - len(alone)} actors").split()[2] == "silent"


def test_a_terminal_that_knows_ascii_only_gets_it(metrics: Metrics) -> None:
    """Bars and curve too."""
    state = run_of(training(metrics), *OTHERS, random_return=20.0)
    assert "\n".join(drawn(state, console(encoding="ascii"))).isascii()
