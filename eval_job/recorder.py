"""Videos of chosen evaluations, recorded while the run and its evaluations go on."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Callable

import numpy as np
from tf_agents.agents import tf_agent

from eval_job import video
from experiment import environments, process, recovery
from experiment.batched_policy import BatchedPolicy
from experiment.greedy import greedy_policy

# A recording works for one part of the time and rests for so many, not to take the
# processor from those who learn.
_REST = 19

# Frames of a video at most: a minute.
_MOST_FRAMES = 60 * video.FRAMES_PER_SECOND

# Seconds between two looks whether an evaluation is over.
_POLL_S = 0.05

# Seconds that a frame may take until a recorder that is closed is left behind.
_CLOSE_TIMEOUT_S = 5.0


class _ClosedError(Exception):
    """Nobody wants the video any more."""


class Recorder:
    """Records one video at a time, in a thread, with a policy of its own."""

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
        self._policy: BatchedPolicy | None = None
        self._thread: threading.Thread | None = None
        self._may_play = threading.Event()
        self._may_play.set()
        self._is_closed = threading.Event()

    def start(
        self,
        path: Path,
        weights: Sequence[np.ndarray],
        on_recorded: Callable[[], None],
    ) -> bool:
        """Begins to record one episode.

        Args:
          path: mp4 file; it is there once it is whole.
          weights: Values of all variables of the policy.
          on_recorded: Called then, by the recorder's thread.

        Returns:
          Whether it has begun; False while another one is being recorded.
        """
        if self._thread and self._thread.is_alive():
            return False
        self._thread = process.start_thread(
            "recorder", lambda: self._record(path, weights, on_recorded)
        )
        return True

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Lets it play no further; does not wait for the frame that it is at."""
        self._may_play.clear()
        try:
            yield
        finally:
            self._may_play.set()

    def close(self) -> None:
        """Gives up what is not done yet."""
        self._is_closed.set()
        if self._thread:
            self._thread.join(_CLOSE_TIMEOUT_S)
            if self._thread.is_alive():
                logging.error("a video is given up: its environment does not come back")

    def _record(
        self,
        path: Path,
        weights: Sequence[np.ndarray],
        on_recorded: Callable[[], None],
    ) -> None:
        try:
            environment = environments.batched(self._factory, 1, self._seed.spawn(1)[0])
            with contextlib.ExitStack() as stack:
                stack.callback(recovery.close_quietly, environment)
                frames = video.play(environment, self._policy_of(weights), episodes=1)
                video.write(path, self._paced(frames))
            on_recorded()
        except _ClosedError:
            logging.info("no video %s: the run has ended", path.name)
        # Whatever a renderer or ffmpeg raises: a run does not fail for a picture.
        except Exception:
            logging.exception("no video %s", path.name)

    def _policy_of(self, weights: Sequence[np.ndarray]) -> BatchedPolicy:
        """The recorder's own policy, with these weights."""
        if self._policy is None or self._agent is None:
            self._agent = self._make_agent()
            self._policy = BatchedPolicy(greedy_policy(self._agent))
        for variable, value in zip(self._agent.policy.variables(), weights):
            variable.assign(value)
        return self._policy

    def _paced(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Leaves most of the time, and all of an evaluation, to others."""
        source = iter(frames)
        for _ in range(_MOST_FRAMES):
            while not self._may_play.wait(_POLL_S):
                self._require_open()
            start = time.monotonic()
            frame = next(source, None)
            if frame is None:
                return
            yield frame  # Includes the time to encode it.
            self._is_closed.wait(_REST * (time.monotonic() - start))
            self._require_open()

    def _require_open(self) -> None:
        if self._is_closed.is_set():
            raise _ClosedError
