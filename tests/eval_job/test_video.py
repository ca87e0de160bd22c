"""eval_job/video.py: videos, read back by ffmpeg."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import imageio_ffmpeg
import numpy as np
import pytest
from tf_agents.environments import batched_py_environment
from tf_agents.policies import fixed_policy
from tf_agents.specs import tensor_spec

from eval_job import video
from experiment import environments
from experiment.batched_policy import BatchedPolicy
from tests.eval_job.scripted_environment import ScriptedEnvironment

DECODE = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-")


def scripted(
    lengths: list[int], picture: tuple[int, int] | None
) -> batched_py_environment.BatchedPyEnvironment:
    """One environment with episodes of these lengths, and then others."""
    episodes = itertools.chain(
        ([0.0] * length for length in lengths), itertools.repeat([0.0] * 1000)
    )
    single = ScriptedEnvironment(episodes, picture)
    return batched_py_environment.BatchedPyEnvironment([single], multithreading=False)


def always_right(
    environment: batched_py_environment.BatchedPyEnvironment,
) -> BatchedPolicy:
    """The same action at all times."""
    specs = environment.time_step_spec(), environment.action_spec()
    return BatchedPolicy(
        fixed_policy.FixedPolicy(np.int64(1), *map(tensor_spec.from_spec, specs))
    )


class Video(NamedTuple):
    """What ffmpeg says of a file, and the frames in it."""

    size: tuple[int, int]  # Width and height.
    frames_per_second: float
    pictures: np.ndarray  # uint8 [frames, height, width, 3].


def read(path: Path) -> Video:
    """Decodes all frames."""
    done = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-i", path, *DECODE],
        capture_output=True,
        timeout=60,
        check=True,
    )
    about = re.search(rb"Video: h264.*, (\d+)x(\d+).*, ([\d.]+) fps", done.stderr)
    assert about, done.stderr
    width, height = int(about[1]), int(about[2])
    pictures = np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)
    return Video((width, height), float(about[3]), pictures)


def test_every_step_of_every_episode_is_a_frame(tmp_path: Path) -> None:
    """From the first observation to the last."""
    path = tmp_path / "videos" / "trained.mp4"
    environment = scripted([3, 1, 6], (48, 64))
    written = video.record(path, environment, always_right(environment), episodes=3)
    assert written == (3 + 1) + (1 + 1) + (6 + 1)
    recorded = read(path)
    assert recorded.size == (64, 48)
    assert recorded.frames_per_second == video.FRAMES_PER_SECOND
    shades = recorded.pictures.mean(axis=(1, 2, 3)).tolist()
    expected = [40 * step for length in (3, 1, 6) for step in range(length + 1)]
    assert shades == pytest.approx(expected, abs=6)  # The codec is lossy.


def test_as_many_episodes_as_the_constant_says(tmp_path: Path) -> None:
    """If not told otherwise."""
    environment = scripted([2] * video.EPISODES, (16, 16))
    written = video.record(tmp_path / "v.mp4", environment, always_right(environment))
    assert written == 3 * video.EPISODES


def test_frames_of_odd_size_become_even_ones(tmp_path: Path) -> None:
    """The codec takes no others; a pixel more, not the next multiple of 16."""
    path = tmp_path / "odd.mp4"
    environment = scripted([4], (75, 101))
    written = video.record(path, environment, always_right(environment), episodes=1)
    recorded = read(path)
    assert recorded.size == (102, 76)
    assert len(recorded.pictures) == written == 5


def test_cartpole_is_recorded_without_a_display(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the preset's videos are."""
    monkeypatch.delenv("DISPLAY", raising=False)
    environment = environments.batched(
        lambda: environments.gym_environment("CartPole-v1", 6),
        1,
        np.random.SeedSequence(0),
    )
    path = tmp_path / "cartpole.mp4"
    written = video.record(path, environment, always_right(environment), episodes=1)
    environment.close()
    recorded = read(path)
    assert recorded.size == (600, 400)
    assert len(recorded.pictures) == written == 7
    first, last = recorded.pictures[0].astype(int), recorded.pictures[-1].astype(int)
    assert np.abs(first - last).max() > 100  # It moves.


def test_an_environment_without_a_picture_leaves_no_file(tmp_path: Path) -> None:
    """It says so before anything is written."""
    environment = scripted([4], None)
    with pytest.raises(NotImplementedError):
        video.record(tmp_path / "none.mp4", environment, always_right(environment))
    assert not list(tmp_path.glob("*.mp4"))
