"""eval_job/returns_log.py: the record, read back as others read it."""

from __future__ import annotations

import collections
from pathlib import Path

import tensorflow as tf

from eval_job.returns_file import Row
from eval_job.returns_log import ReturnsLog


def row(train_step: int, env_steps: int, average: float) -> Row:
    """An evaluation."""
    return Row(train_step, env_steps, 1.0, average, 0.0, average, average, 5)


def scalars(root_dir: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows of the folder: step and value of each tag."""
    points = collections.defaultdict(list)
    for path in root_dir.glob("events.out.tfevents.*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                point = event.step, tf.make_ndarray(value.tensor).item()
                points[value.tag].append(point)
    return dict(points)


def test_a_new_record_is_empty(tmp_path: Path) -> None:
    """No baseline, no rows."""
    log = ReturnsLog(tmp_path)
    assert log.baseline is None
    assert log.rows == []


def test_baseline_and_rows_are_kept_apart(tmp_path: Path) -> None:
    """And come back in the order they went in."""
    log = ReturnsLog(tmp_path)
    rows = [row(0, 10, 9.0), row(100, 250, 30.0)]
    log.add(rows[0])
    log.add_baseline(row(0, 0, 20.0))
    log.add(rows[1])
    assert log.baseline == row(0, 0, 20.0)
    assert log.rows == rows


def test_the_record_goes_on_where_an_earlier_process_left_it(tmp_path: Path) -> None:
    """After a resume."""
    first = ReturnsLog(tmp_path)
    first.add_baseline(row(0, 0, 20.0))
    first.add(row(100, 250, 30.0))
    again = ReturnsLog(tmp_path)
    assert again.baseline == row(0, 0, 20.0)
    again.add(row(200, 500, 31.0))
    assert [kept.train_step for kept in again.rows] == [100, 200]


def test_tensorboard_shows_the_returns_over_both_axes(tmp_path: Path) -> None:
    """At once: the process goes on and may never close the file."""
    log = ReturnsLog(tmp_path)
    log.add(row(100, 250, 30.5))
    log.add(row(200, 700, 60.25))
    shown = scalars(tmp_path / "eval")
    assert shown == {
        "Metrics_vs_TrainSteps/AverageReturn": [(100, 30.5), (200, 60.25)],
        "Metrics_vs_EnvironmentSteps/AverageReturn": [(250, 30.5), (700, 60.25)],
    }


def test_the_baseline_is_no_point_of_the_curve(tmp_path: Path) -> None:
    """It was not earned by weights of any train step."""
    log = ReturnsLog(tmp_path)
    log.add_baseline(row(0, 0, 20.0))
    log.add(row(0, 0, 9.5))
    shown = scalars(tmp_path / "eval")
    assert list(shown.values()) == [[(0, 9.5)], [(0, 9.5)]]
