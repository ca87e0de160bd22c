"""eval_job/returns_log.py: the record, read back as others read it."""

from __future__ import annotations

import collections
import threading
from pathlib import Path

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from eval_job.returns_file import Row
from eval_job.returns_log import ReturnsLog
from tests.eval_job.test_video_summary import record


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


def videos(root_dir: Path) -> dict[str, list[int]]:
    """The train steps of each tag of videos that TensorBoard shows."""
    events = EventAccumulator(str(root_dir / "eval")).Reload()
    return {
        tag: [event.step for event in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
        if tag.startswith("videos/")
    }


def test_videos_are_shown_at_the_train_steps_of_their_weights(tmp_path: Path) -> None:
    """Those of the end at that of the last evaluation."""
    log = ReturnsLog(tmp_path)
    path = record(tmp_path / "trained.mp4", 3, (30, 40))
    log.add_video(path)
    log.add(row(700, 900, 60.0))
    for train_step in (300, 600):
        log.add_video(
            path.rename(tmp_path / f"train_step_{train_step}.mp4"), train_step
        )
        path = tmp_path / f"train_step_{train_step}.mp4"
    log.add_video(path.rename(tmp_path / "trained.mp4"))
    assert videos(tmp_path) == {
        "videos/trained": [0, 700],
        "videos/on_the_way": [300, 600],
    }


def test_a_recorder_may_add_videos_while_weights_are_judged(tmp_path: Path) -> None:
    """It has a thread of its own."""
    log = ReturnsLog(tmp_path)
    path = record(tmp_path / "v.mp4", 3, (30, 40))

    def add_videos() -> None:
        for train_step in range(3):
            log.add_video(path, train_step)

    recorder = threading.Thread(target=add_videos)
    recorder.start()
    evaluations = 0
    while recorder.is_alive() or evaluations < 10:
        log.add(row(evaluations, evaluations, 1.0))
        evaluations += 1
    recorder.join()
    assert videos(tmp_path) == {"videos/on_the_way": [0, 1, 2]}
    assert len(log.rows) == evaluations


def test_a_video_without_a_summary_is_said_to_be_that(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The video itself is there."""
    path = tmp_path / "train_step_5.mp4"
    path.write_bytes(b"no video")
    ReturnsLog(tmp_path).add_video(path, 5)
    assert caplog.messages == ["no summary of the video train_step_5.mp4"]
    assert videos(tmp_path) == {}
