"""Videos of a policy at play, without a display."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from tf_agents.environments import py_environment
from tf_agents.policies import py_policy

EPISODES = 5
FRAMES_PER_SECOND = 30


def record(
    path: Path,
    environment: py_environment.PyEnvironment,
    policy: py_policy.PyPolicy,
    episodes: int = EPISODES,
) -> int:
    """Plays episodes one after another and writes them to one video.

    Args:
      path: mp4 file to write.
      environment: A batch of one, that can be rendered to RGB arrays.
      policy: Takes batched time steps.
      episodes: How many.

    Returns:
      Frames written.
    """
    return write(path, play(environment, policy, episodes))


def write(path: Path, frames: Iterable[np.ndarray]) -> int:
    """Writes frames to a video; the file is there once it is whole.

    Args:
      path: mp4 file to write.
      frames: At least one, uint8 [height, width, 3].

    Returns:
      Frames written.
    """
    frames = iter(frames)
    first = next(frames)
    height, width = first.shape[:2]
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}")
    video = imageio_ffmpeg.write_frames(
        str(fresh),
        (width, height),
        fps=FRAMES_PER_SECOND,
        macro_block_size=2,  # Any even size will do: no scaling to multiples of 16.
        # Half the time of the default, for somewhat larger files.
        output_params=["-preset", "ultrafast", "-f", "mp4"],
    )
    video.send(None)
    written = 0
    try:
        for frame in itertools.chain([first], frames):
            video.send(frame)
            written += 1
        video.close()
        fresh.replace(path)
    finally:
        video.close()
        fresh.unlink(missing_ok=True)
    return written


def play(
    environment: py_environment.PyEnvironment,
    policy: py_policy.PyPolicy,
    episodes: int,
) -> Iterator[np.ndarray]:
    """Yields what it looks like when a policy plays, uint8 [height, width, 3]."""
    for _ in range(episodes):
        time_step = environment.reset()
        state = policy.get_initial_state(1)
        yield _picture(environment)
        while not time_step.is_last().all():
            step = policy.action(time_step, state)
            state = step.state
            time_step = environment.step(step.action)
            yield _picture(environment)


def _picture(environment: py_environment.PyEnvironment) -> np.ndarray:
    return np.ascontiguousarray(environment.render()[0], np.uint8)
