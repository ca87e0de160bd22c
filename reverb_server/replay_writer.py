"""Writes the steps of a batch of environments into the replay table."""

from __future__ import annotations

from typing import Callable

import numpy as np
import reverb
from tf_agents.trajectories import trajectory

from reverb_server import tables
from reverb_server.replay_layout import ReplayLayout, Step

# Items on their way at most, and milliseconds between two looks whether to stop.
_MAX_UNSENT_ITEMS = 4
_FLUSH_TIMEOUT_MS = 250


class ReplayWriter:
    """An observer for PyDriver: batches of steps in, items of the replay table out.

    A window of consecutive steps never crosses the border of an episode. Windows of
    different environments are put together into items as they come.
    """

    def __init__(
        self,
        client: reverb.Client,
        layout: ReplayLayout,
        batch_size: int,
        is_running: Callable[[], bool],
    ) -> None:
        """Starts with no steps.

        Args:
          client: Connected to the server.
          layout: Of the replay table.
          batch_size: Environments that are observed.
          is_running: Ends a wait for the rate limiter.
        """
        self._layout = layout
        self._is_running = is_running
        self._writer = client.trajectory_writer(1, validate_items=False)
        self._writer.configure(("steps",), num_keep_alive_refs=1, max_chunk_length=1)
        length, width = layout.sequence_length, layout.codec.step_bytes
        self._recent = np.zeros((batch_size, length, width), np.uint8)
        self._length = np.zeros(batch_size, np.int64)
        self._pending = np.zeros((0, length, width), np.uint8)
        self.policy_train_step = 0
        self.transitions = 0

    def __call__(self, steps: trajectory.Trajectory) -> None:
        """Takes one step of each environment; waits if the limiter says so.

        Args:
          steps: Arrays of shape [B, ...].
        """
        versions = np.full(len(self._length), self.policy_train_step, np.int64)
        self._recent[:, :-1] = self._recent[:, 1:]
        self._recent[:, -1] = self._layout.codec.pack(Step(steps, versions))
        self._length += 1
        complete = self._length >= self._layout.sequence_length
        self._write(self._recent[complete])
        self._length[steps.is_boundary()] = 0

    def _write(self, windows: np.ndarray) -> None:
        """Writes all full items; the rest of the windows waits for the next step."""
        self._pending = np.concatenate([self._pending, windows])
        size = self._layout.transitions_per_item
        items = len(self._pending) // size
        for number in range(items):
            item = self._pending[number * size : (number + 1) * size]
            self._writer.append({"steps": item})
            self._writer.create_item(
                tables.REPLAY, 1.0, {"steps": self._writer.history["steps"][-1]}
            )
        if items:
            self._pending = self._pending[items * size :]
            self.transitions += items * size
            self._wait_until_sent()

    def _wait_until_sent(self) -> None:
        """Bounds what is on its way: while the limiter blocks, nothing piles up."""
        while self._is_running():
            try:
                self._writer.flush(_MAX_UNSENT_ITEMS, _FLUSH_TIMEOUT_MS)
            except reverb.DeadlineExceededError:
                continue
            return
