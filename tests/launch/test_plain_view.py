"""launch/plain_view.py: a run in lines, for logs and for CI."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from launch.plain_view import PlainView, QuietView, figures_line
from launch.progress import Progress
from launch.state import Life, ProcessState
from tests.launch.a_run import CHECKOUT
from tests.launch.rows import EVAL_JOB, LEARNER, SERVER, Metrics, run_of


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    """Holds nothing yet."""
    return Metrics(tmp_path)


def test_before_the_first_figures_it_is_starting(metrics: Metrics) -> None:
    """With the time since the start."""
    state = run_of(Progress(metrics.folder), seconds=61.9)
    assert figures_line(state) == "0:01:01  starting"


@pytest.mark.parametrize(
    "row",
    [
        {**SERVER, "env_steps": 0},
        {"role": "eval_job", "task": 0, "target_return": 475.0},
    ],
    ids=["server", "eval job"],
)
def test_who_is_there_alone_has_not_started_a_run(
    row: dict[str, object], metrics: Metrics
) -> None:
    """The others still import."""
    assert figures_line(run_of(metrics.progress(row), seconds=4)) == "0:00:04  starting"


def test_the_line_has_the_newest_figures_of_all_roles(metrics: Metrics) -> None:
    """As people read numbers."""
    metrics.judge(30.06)
    progress = metrics.progress(SERVER, LEARNER, EVAL_JOB)
    assert figures_line(run_of(progress, seconds=3_725.2)) == (
        "1:02:05  train step 6,789 (251/s)  env steps 12,345 (1,000/s)  "
        "replay 5,000/100,000  policy lag 31  return 30.1 (best 30.1, target 475)"
    )


def test_what_is_not_known_yet_is_0_or_left_out(metrics: Metrics) -> None:
    """While the table fills, nobody trains."""
    line = figures_line(run_of(metrics.progress(SERVER), seconds=5))
    assert "train step 0  env steps 12,345" in line
    assert "policy lag -" in line
    assert "return" not in line


def test_the_best_return_is_the_highest(metrics: Metrics) -> None:
    """Negative ones too."""
    metrics.judge(-500.0, -90.5, -200.0)
    line = figures_line(run_of(metrics.progress(SERVER)))
    assert line.endswith("return -200.0 (best -90.5)")


def test_a_trouble_is_told_once(
    metrics: Metrics, capsys: pytest.CaptureFixture[str]
) -> None:
    """When it begins, by a warning; not with the figures again and again."""
    state = run_of(metrics.progress({**SERVER, "stall": "no actor"}, LEARNER))
    view = PlainView()
    for line in state.progress.take_news():
        view.warn(line)
    view.show(state)
    trouble, shown = capsys.readouterr().out.splitlines()
    assert trouble == "waiting: no actor"
    assert shown.startswith("0:00:00  train step 6,789")


def test_a_rate_of_who_does_not_work_is_left_out(metrics: Metrics) -> None:
    """It was that of a process which is gone."""
    dead = ProcessState("learner", 0, "learner", Life.RESTARTING, restart_in_s=2.0)
    line = figures_line(run_of(metrics.progress(SERVER, LEARNER), dead))
    assert "train step 6,789  env steps" in line


def test_no_figures_are_shown_after_the_end(
    metrics: Metrics, capsys: pytest.CaptureFixture[str]
) -> None:
    """They would go on for as long as the videos take."""
    end = {"role": "run", "status": "max_train_steps", "train_step": 10}
    PlainView().show(run_of(metrics.progress(SERVER, LEARNER, end)))
    assert capsys.readouterr().out == ""


def test_the_last_figures_are_always_told(
    metrics: Metrics, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run shorter than the time between two lines would show none."""
    end = {"role": "run", "status": "max_train_steps", "train_step": 10}
    PlainView().show_last(run_of(metrics.progress(SERVER, LEARNER, end)))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("0:00:00  train step 6,789")


def test_the_quiet_view_shows_only_what_goes_wrong(
    metrics: Metrics, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once: what stays wrong is not repeated."""
    view = QuietView()
    view.say("good to know")
    view.warn("bad to know")
    view.show(run_of(metrics.progress({**SERVER, "stall": "no actor"}, LEARNER)))
    view.close()
    assert capsys.readouterr().out == "bad to know\n"


def test_a_terminal_that_is_gone_is_no_fault() -> None:
    """The run goes on, and its results are in files."""
    program = (
        "import os, sys; from launch.plain_view import print_line\n"
        "sys.stdin.read(); print_line('one'); print_line('two'); os._exit(7)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.close()
        process.stdin.close()
        assert process.wait(30) == 7
