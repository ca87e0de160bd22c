"""Writes the steps of an actor's environments to the replay servers they belong to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Callable, NamedTuple

import tensorflow as tf
from tf_agents.trajectories import trajectory

from reverb_server import sharding
from reverb_server.membership import Membership
from reverb_server.replay_layout import ReplayLayout
from reverb_server.replay_writer import ReplayWriter
from reverb_server.shard import Shard

# Seconds between two looks whether a server has come back, if all are lost.
_POLL_S = 0.25


class Part(NamedTuple):
    """Environments that write to one server.

    Attributes:
      writer: To the server.
      environments: Their numbers.
      is_lost: Whether the server is lost; nobody waits for it then.
    """

    writer: ReplayWriter
    environments: slice
    is_lost: Callable[[], bool]


class ShardedWriter:
    """An observer for PyDriver, as `ReplayWriter` is.

    What is collected while a server is lost would be in its share; it is dropped.

    Attributes:
      layout: Of all replay tables.
      rounds: Steps of each environment.
    """

    def __init__(
        self, parts: Sequence[Part], is_running: Callable[[], bool] = lambda: True
    ) -> None:
        """Starts with no steps.

        Args:
          parts: At least one; all of the same layout.
          is_running: Ends the wait for any server at all.
        """
        self._parts = parts
        self._is_running = is_running
        self.layout = parts[0].writer.layout
        self.rounds = 0

    @property
    def policy_train_step(self) -> int:
        """See `ReplayWriter`."""
        return self._parts[0].writer.policy_train_step

    @policy_train_step.setter
    def policy_train_step(self, train_step: int) -> None:
        for part in self._parts:
            part.writer.policy_train_step = train_step

    @property
    def transitions(self) -> int:
        """Written so far."""
        return sum(part.writer.transitions for part in self._parts)

    @property
    def waited_s(self) -> float:
        """Seconds spent waiting so far, with the wait that goes on; for any thread."""
        return sum(part.writer.waited_s for part in self._parts)

    def __call__(self, steps: trajectory.Trajectory) -> None:
        """Takes one step of each environment; waits if a limiter says so.

        It waits too while all of its servers are lost.

        Args:
          steps: Arrays of shape [B, ...].
        """
        self.rounds += 1
        # Nobody would be served by steps that all are dropped.
        while all(part.is_lost() for part in self._parts) and self._is_running():
            time.sleep(_POLL_S)
        for part in self._parts:
            if part.is_lost():
                part.writer.skip()
            else:
                part.writer(_rows(steps, part.environments))


def _rows(steps: trajectory.Trajectory, own: slice) -> trajectory.Trajectory:
    """The steps of some environments."""
    return tf.nest.map_structure(lambda column: column[own], steps)


def writer(
    run: Membership,
    layout: ReplayLayout,
    envs: int,
    task: int,
    priority: tf.Variable | None,
) -> ReplayWriter | ShardedWriter:
    """What an actor writes with.

    Args:
      run: That it has joined.
      layout: Of the replay table.
      envs: Environments of the actor.
      task: Its number.
      priority: Of new items, see `ReplayWriter`.
    """
    if not run.shards:
        return ReplayWriter(run.client, layout, envs, run.is_running, priority)
    servers, parts = 1 + len(run.shards), []
    for number, shard in enumerate([None, *run.shards]):
        own = sharding.environments_of(number, servers, task, envs)
        if count := len(range(envs)[own]):
            is_lost, is_waiting = _looks(run, shard)
            client = shard.client if shard else run.client
            to_server = ReplayWriter(client, layout, count, is_waiting, priority)
            parts.append(Part(to_server, own, is_lost))
    return ShardedWriter(parts, run.is_running)


def _looks(
    run: Membership, shard: Shard | None
) -> tuple[Callable[[], bool], Callable[[], bool]]:
    """Whether a server is lost; whether it is worth waiting for."""

    def is_lost() -> bool:
        return shard is not None and run.is_lost(shard)

    return is_lost, lambda: run.is_running() and not is_lost()
