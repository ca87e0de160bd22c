"""launch/report/compare.py: seeds of one setting, and settings side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval_job.returns_file import Row
from launch.report import compare, returns_chart, run_files
from tests.launch.report import a_folder

ENV_STEPS = returns_chart.AXES[1]


def run(folder: Path, returns: Sequence[Row] = a_folder.ROWS, **changes: Any) -> Any:
    return run_files.read(a_folder.make(folder, returns, **changes))


def returns(env_steps: Sequence[int], averages: Sequence[float]) -> list[Row]:
    """Evaluations at these places."""
    return [Row(n, n, float(n), y, 1.0, y, y, 10) for n, y in zip(env_steps, averages)]


def test_seeds_are_one_group_and_settings_are_several(tmp_path: Path) -> None:
    """A group is named by what tells it from others."""
    text = a_folder.MANIFEST.gin_text
    runs = [
        run(tmp_path / "a", seed=0),
        run(tmp_path / "b", seed=1),
        run(tmp_path / "c", gin_text=text + "Replay.batch_size = 128\n"),
        run(tmp_path / "d", num_actors=7, seed=2),
        run(tmp_path / "e", gin_file="other.gin"),
        run(tmp_path / "f", gin_file="third.gin", in_process=True),
        run(tmp_path / "g", gin_file="third.gin"),
    ]
    groups = compare.grouped(runs)
    assert [[each.root_dir.name for each in group.runs] for group in groups] == [
        ["a", "b"],
        ["c"],
        ["d"],
        ["e"],
        ["f"],
        ["g"],
    ]
    assert [group.name for group in groups] == [
        "dqn_cartpole.gin, --num_actors = 2, Replay.batch_size = default",
        "dqn_cartpole.gin, --num_actors = 2, Replay.batch_size = 128",
        "dqn_cartpole.gin, --num_actors = 7, Replay.batch_size = default",
        "other.gin",
        "third.gin, --in_process = True",
        "third.gin, --in_process = False",
    ]
    assert len({group.colour for group in groups}) == 6


def test_returns_are_interpolated_where_all_runs_were_judged(tmp_path: Path) -> None:
    """From the latest first to the earliest last evaluation."""
    runs = [
        run(tmp_path / "a", returns([0, 100, 200], [0, 100, 200])),
        run(tmp_path / "b", returns([50, 150], [10, 10])),
    ]
    places, values = compare.curves(runs, ENV_STEPS)
    assert (places[0], places[-1]) == (50, 150)
    np.testing.assert_allclose(values[0], places)
    np.testing.assert_allclose(values[1], 10)


def test_the_interval_is_about_the_mean_and_narrows_with_runs() -> None:
    """Five times the same runs tell more."""
    few = np.array([[1.0, 10.0], [2.0, 10.0], [6.0, 10.0]])
    low, high = compare.interval(few)
    assert 1 <= low[0] < few[:, 0].mean() < high[0] <= 6
    assert (low[1], high[1]) == (10, 10)
    narrow_low, narrow_high = compare.interval(np.tile(few, (5, 1)))
    assert narrow_high[0] - narrow_low[0] < high[0] - low[0]
    assert compare.interval(few)[0].tolist() == low.tolist()


def test_several_runs_have_a_mean_and_one_has_none(tmp_path: Path) -> None:
    several = [run(tmp_path / f"{n}", seed=n) for n in range(3)]
    alone = run(tmp_path / "alone", num_actors=9)
    groups = compare.grouped([*several, alone])
    figure = compare.draw(groups, ENV_STEPS)
    named = [trace.name for trace in figure.data if trace.name]
    assert len(named) == 2
    areas = [trace for trace in figure.data if trace.fill == "toself"]
    assert len(areas) == 1
    assert groups[0].last_interval == (500, 500)
    assert groups[1].last_interval is None


@pytest.mark.parametrize("other", [returns([500, 600], [1, 2]), returns([7], [1]), []])
def test_runs_that_have_no_place_in_common_have_no_mean(
    tmp_path: Path, other: list[Row]
) -> None:
    """Each is drawn all the same."""
    runs = [run(tmp_path / "a", returns([0, 9], [1, 2])), run(tmp_path / "b", other)]
    figure = compare.draw(compare.grouped(runs), ENV_STEPS)
    assert len(figure.data) == (2 if other else 1)


def test_times_to_the_target_are_those_of_runs_that_reached_it(tmp_path: Path) -> None:
    for name, seconds in (("a", 20.0), ("b", 40.0), ("c", None)):
        a_folder.finish(a_folder.make(tmp_path / name), time_to_target_s=seconds)
    [group] = compare.grouped([run_files.read(tmp_path / name) for name in "abc"])
    assert group.times_to_target_s == [20, 40]
    assert group.median_time_to_target_s == 30
