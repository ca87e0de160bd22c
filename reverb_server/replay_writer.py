"""Writes the steps of a batch of environments into the replay table."""

from __future__ import annotations

import itertools
import logging
import time
from typing import Callable

import numpy as np
import reverb
import tensorflow as tf
from tf_agents.trajectories import StepType, trajectory

from experiment.errors import IDLE_TIMEOUT_S, IdleError
from reverb_server import frame_stack, tables
from reverb_server.address import NO_ANSWER
from reverb_server.replay_layout import ReplayLayout, Step

# Items on their way at most: those of some rounds of the environments, or so many if
# that is more; and milliseconds between two looks whether to stop.
_MAX_UNSENT_ROUNDS = 4
_MAX_UNSENT_ITEMS = 4
_FLUSH_TIMEOUT_MS = 250

# Where all are sampled alike.
_ANY_PRIORITY = 1.0


class ReplayWriter:
    """An observer for PyDriver: batches of steps in, items of the replay table out.

    A window of consecutive steps goes on in the next episode only where the agent can
    tell, see `ReplayLayout.spans_episodes`, and never over the failure of an
    environment in the midst of one. Windows of different environments are put together
    into items as they come; if an item has one window only, it refers to steps that
    other items refer to as well. Of stacks of frames the newest frame is stored, and an
    item refers to the steps before its window too, of whatever episode they are.

    Attributes:
      layout: Of the replay table.
    """

    def __init__(
        self,
        client: reverb.Client,
        layout: ReplayLayout,
        batch_size: int,
        is_running: Callable[[], bool],
        priority: tf.Variable | None = None,
    ) -> None:
        """Starts with no steps.

        Args:
          client: Connected to the server.
          layout: Of the replay table.
          batch_size: Environments that are observed.
          is_running: Ends a wait for the rate limiter.
          priority: Of new items, float32 scalar; if None, all have the same.
        """
        self.layout = layout
        self._is_running = is_running
        self._priority = priority
        length, width = layout.sequence_length, layout.codec.step_bytes
        # A window that is shared consists of steps of the last rounds.
        self._kept = batch_size * layout.stored_length if layout.shares_steps else 1
        self._client = client
        self._opened: reverb.TrajectoryWriter | None = None
        self._max_unsent = max(
            _MAX_UNSENT_ITEMS,
            _MAX_UNSENT_ROUNDS * batch_size // layout.windows_per_item,
        )
        # Steps since what no window may cross; and which of the last steps may begin
        # one, and whether an episode has just ended in a terminal state.
        self._length = np.zeros(batch_size, np.int64)
        self._may_begin = np.zeros((batch_size, length), bool)
        self._is_terminal = np.zeros(batch_size, bool)
        self._recent = np.zeros((batch_size, length, width), np.uint8)
        self._pending = np.zeros((0, length, width), np.uint8)
        self._policy_train_step = 0
        self.rounds = 0  # Steps of each environment.
        self.transitions = 0
        # In the past, and since when a wait goes on: in one, for threads that read it.
        self._waits: tuple[float, float | None] = (0.0, None)

    @property
    def policy_train_step(self) -> int:
        """Of the weights that choose the actions; `RANDOM_POLICY` if none do."""
        return self._policy_train_step

    @policy_train_step.setter
    def policy_train_step(self, train_step: int) -> None:
        """Begins new windows where one must not have steps of two policies."""
        if self.layout.is_on_policy and train_step != self._policy_train_step:
            self._length[:] = 0
        self._policy_train_step = train_step

    @property
    def waited_s(self) -> float:
        """Seconds spent waiting so far, with the wait that goes on; for any thread."""
        waited_s, since = self._waits
        return waited_s if since is None else waited_s + time.monotonic() - since

    def __call__(self, steps: trajectory.Trajectory) -> None:
        """Takes one step of each environment; waits if the limiter says so.

        Args:
          steps: Arrays of shape [B, ...].
        """
        self.rounds += 1
        versions = np.full(len(self._length), self.policy_train_step, np.int64)
        rows = self.layout.codec.pack(Step(self._stored(steps), versions))
        complete = self._complete(steps)
        write = self._write_shared if self.layout.shares_steps else self._write_whole
        if items := write(rows, complete):
            self.transitions += items * self.layout.env_steps_per_item
            self._wait_until_sent()
        self._length[self._breaks(steps)] = 0
        ends = steps.next_step_type == StepType.LAST
        self._is_terminal = ends & (steps.discount == 0)

    def _stored(self, steps: trajectory.Trajectory) -> trajectory.Trajectory:
        """What is stored of these steps."""
        newest = frame_stack.newest(steps.observation, self.layout.frames)
        steps = steps.replace(observation=newest)
        if not self.layout.clips_rewards:
            return steps
        return steps.replace(reward=tf.nest.map_structure(np.sign, steps.reward))

    @property
    def _writer(self) -> reverb.TrajectoryWriter:
        """Opened at the first step, and at the first one after some were skipped."""
        if self._opened is None:
            self._opened = self._client.trajectory_writer(
                self._kept, validate_items=False
            )
            self._opened.configure(
                ("steps",), num_keep_alive_refs=self._kept, max_chunk_length=1
            )
        return self._opened

    def skip(self) -> None:
        """Lets one step of each environment go by, for a server that is not there.

        Windows begin anew after it. What was not sent is dropped: it would go to
        whoever has the server's address next.
        """
        if self._opened is not None:
            self._opened = None
            # The old one was refused, and would wait before it tried again.
            self._client = reverb.Client(self._client.server_address)
        # The frames before a window must not be from before the gap either.
        self._length[:] = 1 - self.layout.frames
        self._is_terminal[:] = False

    def _complete(self, steps: trajectory.Trajectory) -> np.ndarray:
        """Which environments' windows this step completes, bool [B].

        The observation of a last step belongs to its episode, so windows may end with
        it; its action, reward and next step do not, so none begins with it.
        """
        layout = self.layout
        self._length += 1
        self._may_begin[:, :-1] = self._may_begin[:, 1:]
        is_last = steps.step_type == StepType.LAST
        self._may_begin[:, -1] = ~is_last | layout.spans_episodes
        beyond = self._length - layout.sequence_length
        complete: np.ndarray = (
            (beyond >= 0) & (beyond % layout.stride == 0) & self._may_begin[:, 0]
        )
        return complete

    def _breaks(self, steps: trajectory.Trajectory) -> np.ndarray:
        """After which of these steps no window goes on, bool [B].

        A first step follows the last one of an episode, or any other one if the
        environment failed. What follows a last step is of another episode in any case.
        """
        is_last = steps.step_type == StepType.LAST
        begins = (steps.next_step_type == StepType.FIRST) | is_last
        goes_on = is_last & (self.layout.spans_episodes | self._is_terminal)
        return begins & ~goes_on

    def _write_shared(self, rows: np.ndarray, complete: np.ndarray) -> int:
        """Writes the steps, then one item for each window that they complete."""
        # Windows that begin with the first steps of all look back at something too.
        copies = self.layout.frames if self.rounds == 1 else 1
        for row in itertools.chain.from_iterable([rows] * copies):
            self._writer.append({"steps": row})
        priority = _ANY_PRIORITY if self._priority is None else float(self._priority)
        numbers, count = np.flatnonzero(complete), len(rows)
        for number in numbers.tolist():
            # Steps of one environment are as far apart as there are environments.
            last = number - count
            first = last - count * (self.layout.stored_length - 1)
            places = list(range(first, last + 1, count))
            self._insert(self._writer.history["steps"][places], priority)
        return len(numbers)

    def _write_whole(self, rows: np.ndarray, complete: np.ndarray) -> int:
        """Writes all full items; the rest of the windows waits for the next step."""
        self._recent[:, :-1] = self._recent[:, 1:]
        self._recent[:, -1] = rows
        self._pending = np.concatenate([self._pending, self._recent[complete]])
        size = self.layout.windows_per_item
        items = len(self._pending) // size
        for number in range(items):
            item = self._pending[number * size : (number + 1) * size]
            self._writer.append({"steps": item.reshape(-1, item.shape[-1])})
            self._insert(self._writer.history["steps"][-1])
        self._pending = self._pending[items * size :]
        return items

    def _insert(self, steps: object, priority: float = _ANY_PRIORITY) -> None:
        self._writer.create_item(tables.REPLAY, priority, {"steps": steps})

    def _wait_until_sent(self) -> None:
        """Bounds what is on its way: while the limiter blocks, nothing piles up."""
        start = time.monotonic()
        self._waits = (self.waited_s, start)
        while self._is_running():
            try:
                self._writer.flush(self._max_unsent, _FLUSH_TIMEOUT_MS)
                break
            # The limiter says wait, or the server is gone: it is sent when it is back.
            except NO_ANSWER as error:
                if not isinstance(error, reverb.DeadlineExceededError):
                    logging.warning("replay: trying again after: %s", error)
                    time.sleep(_FLUSH_TIMEOUT_MS / 1_000)
                if time.monotonic() - start > IDLE_TIMEOUT_S:
                    raise IdleError(
                        "the replay table to take experience: is the learner gone?"
                    ) from None
        self._waits = (self.waited_s, None)
