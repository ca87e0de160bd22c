"""Videos of chosen evaluations, recorded while the run and its evaluations go on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Callable

import numpy as np
from tf_agents.agents import tf_agent

from eval_job import video
from experiment import environments, process
from experiment.batched_policy import BatchedPolicy

# A recording works for one part of the time and rests for so many, not to take the
# processor from those who learn.
_REST = 9

# Frames of a video at most: a minute.
_MOST_FRAMES = 60 * video.FRAMES_PER_SECOND


class Recorder:
    """Records one video at a time, in a thread, with a policy of its own.

    Attributes:
      turn: Whoever plays holds it; the recorder gives it back after every frame.
    """

    def __init__(
        self,
        environment_factory: environments.EnvironmentFactory,
        make_agent: Callable[[], tf_agent.TFAgent],
        seed: np.random.SeedSequence,
    ) -> None:
        """Builds nothing until there is something to record.

        Args:
          environment_factory: Makes one environment.
          make_agent: Makes an agent whose policy may be given other weights.
          seed: Each video gets its own child of it.
        """
        self._factory = environment_factory
        self._make_agent = make_agent
        self._seed = seed
        self._agent: tf_agent.TFAgent | None = None
        self._thread: threading.Thread | None = None
        self._is_closed = threading.Event()
        self.turn = threading.Lock()

    def start(self, path: Path, weights: Sequence[np.ndarray]) -> bool:
        """Begins to record one episode.

        Args:
          path: mp4 file; it is there once it is whole.
          weights: Values of all variables of the policy.

        Returns:
          Whether it has begun; False while another one is being recorded.
        """
        if self._thread and self._thread.is_alive():
            return False
        self._thread = process.start_thread(
            "recorder", lambda: self._record(path, weights)
        )
        return True

    def close(self) -> None:
        """Gives up what is not done yet."""
        self._is_closed.set()
        if self._thread:
            self._thread.join()

    def _record(self, path: Path, weights: Sequence[np.ndarray]) -> None:
        environment = environments.batched(self._factory, 1, self._seed.spawn(1)[0])
        try:
            self._agent = self._agent or self._make_agent()
            for variable, value in zip(self._agent.policy.variables(), weights):
                variable.assign(value)
            policy = BatchedPolicy(self._agent.policy)
            frames = video.play(environment, policy, episodes=1)
            video.write(path, self._paced(frames))
            if self._is_closed.is_set():
                path.unlink()
        # Whatever a renderer or ffmpeg raises: a run does not fail for a picture.
        except Exception:
            logging.exception("no video %s", path.name)
        environment.close()

    def _paced(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Takes turns with the evaluation, and leaves it most of the time."""
        source = iter(frames)
        for _ in range(_MOST_FRAMES):
            start = time.monotonic()
            with self.turn:
                frame = next(source, None)
            if frame is None:
                return
            yield frame  # Includes the time to encode it.
            if self._is_closed.wait(_REST * (time.monotonic() - start)):
                return
