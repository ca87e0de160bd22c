"""launch/report/returns_chart.py: the curve, its interval, what it is compared with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from eval_job.returns_file import Row
from launch.report import returns_chart, run_files
from tests.launch.report import a_folder

TRAIN_STEPS = returns_chart.AXES[0]


def trace(folder: Path, name: str, axis: returns_chart.Axis = TRAIN_STEPS) -> Any:
    """One of the lines that are drawn of a folder's run."""
    figure = returns_chart.draw(run_files.read(folder), axis)
    [found] = [each for each in figure.data if str(each.name).startswith(name)]
    return found


def test_the_interval_is_that_of_the_mean_over_the_episodes() -> None:
    """As SciPy has it of the returns themselves."""
    returns = np.array([10.0, 12.0, 9.0, 30.0, 11.0])
    expected = stats.t.interval(0.95, 4, returns.mean(), stats.sem(returns))
    row = Row.of(returns, 0, 0, 0.0)
    assert returns_chart.interval(row) == pytest.approx(expected)


def test_one_episode_has_no_interval() -> None:
    assert np.isnan(returns_chart.interval(Row.of(np.array([5.0]), 0, 0, 0.0))).all()


@pytest.mark.parametrize(
    ("axis", "last"),
    [
        ("train_step", 5_000),
        ("env_steps", 15_000),
        ("wall_time_s", 60_000),  # In milliseconds, as Plotly has dates.
    ],
)
def test_the_curve_is_drawn_over_each_axis(
    tmp_path: Path, axis: str, last: float
) -> None:
    [chosen] = [each for each in returns_chart.AXES if each.column == axis]
    line = trace(a_folder.make(tmp_path), "average return", chosen)
    assert line.x[-1] == last
    assert line.y.tolist() == [50, 140, 230, 320, 410, 500]


def test_the_line_is_cut_where_the_learner_went_back(tmp_path: Path) -> None:
    """And so are the areas: nothing leads from the future into the past."""
    again = dataclasses.replace(a_folder.ROWS[2], wall_time_s=90.0)
    folder = a_folder.make(tmp_path, [*a_folder.ROWS[:4], again, *a_folder.ROWS[4:]])
    line = trace(folder, "average return")
    assert np.isnan(line.x).tolist() == [False] * 4 + [True] + [False] * 3
    area = trace(folder, "worst")
    assert np.isnan(area.x).sum() == 1


def test_random_policy_and_target_are_drawn(tmp_path: Path) -> None:
    folder = a_folder.make(tmp_path)
    assert list(trace(folder, "random policy (21.5)").y) == [21.5, 21.5]
    assert list(trace(folder, "target (475)").y) == [475, 475]
    assert list(trace(folder, "target").x) == [0, 5_000]


def test_a_run_killed_before_it_trained_has_an_axis_in_whole_steps(
    tmp_path: Path,
) -> None:
    """And lines to compare with."""
    a_folder.make(tmp_path, [a_folder.evaluation(0, 9.0, 12.0)])
    assert list(trace(tmp_path, "target").x) == [0, 1_000]


def test_thousands_of_evaluations_are_thinned_and_the_last_is_kept() -> None:
    rows = [a_folder.evaluation(n, float(n), float(n)) for n in range(5_000)]
    chosen = returns_chart.thinned(rows)
    assert len(chosen) == 1_000
    assert (chosen[0], chosen[-1]) == (rows[0], rows[-1])
    assert returns_chart.thinned(rows[:3]) == rows[:3]
    assert returns_chart.thinned([]) == []
