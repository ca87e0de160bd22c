"""eval_job/video_summary.py: the picture that TensorBoard gets of a video."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from eval_job import video, video_summary
from tests.eval_job.test_video import always_right, scripted


def record(path: Path, steps: int, picture: tuple[int, int]) -> Path:
    """A video of one episode, of which each frame has another shade."""
    environment = scripted([steps], picture)
    video.record(path, environment, always_right(environment), episodes=1)
    return path


def opened(picture: bytes) -> Image.Image:
    """The animated picture, at its first frame."""
    image = Image.open(io.BytesIO(picture))
    assert image.format == "GIF"
    return image


def shades(image: Image.Image) -> list[float]:
    """The mean of each frame."""
    frames = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        frames.append(float(np.asarray(image.convert("L")).mean()))
    return frames


def test_a_small_video_keeps_its_size_and_its_frames(tmp_path: Path) -> None:
    """And its order."""
    path = record(tmp_path / "v.mp4", 5, (60, 80))
    image = opened(video_summary.animated(path))
    assert image.size == (80, 60)
    assert shades(image) == pytest.approx([0, 40, 80, 120, 160, 200], abs=8)
    assert image.info["loop"] == 0  # Again and again.


def test_a_large_and_long_video_is_made_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes as long as before, with every third frame."""
    monkeypatch.setattr(video_summary, "_MAX_FRAMES", 2)
    path = record(tmp_path / "v.mp4", 5, (150, 400))
    image = opened(video_summary.animated(path))
    assert image.size == (200, 75)
    assert shades(image) == pytest.approx([0, 120], abs=8)
    image.seek(0)
    assert image.info["duration"] == 3 * 1_000 / video.FRAMES_PER_SECOND


def test_tensorboard_shows_it_at_its_train_step(tmp_path: Path) -> None:
    """As a picture."""
    path = record(tmp_path / "trained.mp4", 3, (30, 40))
    with tf.summary.create_file_writer(str(tmp_path / "eval")).as_default() as writer:
        video_summary.write(path, "trained", 1_234)
        writer.flush()
    events = EventAccumulator(str(tmp_path / "eval")).Reload()
    [event] = events.Tensors("videos/trained")
    assert event.step == 1_234
    width, height, picture = event.tensor_proto.string_val
    assert (width, height) == (b"40", b"30")
    assert len(shades(opened(picture))) == 4
    plugin = events.SummaryMetadata("videos/trained").plugin_data.plugin_name
    assert plugin == "images"
