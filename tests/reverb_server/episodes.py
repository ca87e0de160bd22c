"""Made-up episodes, of which every window can be told by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import reverb
from tf_agents.trajectories import StepType, trajectory

from reverb_server import tables
from reverb_server.replay_layout import ReplayLayout, Step

# Added to the length of an episode that a time limit ends.
_CUT_OFF = 100


class Row(NamedTuple):
    """One step of one environment, in the order of `Trajectory`'s fields."""

    step_type: int
    observation: tuple[int, ...]  # Environment, episode, time, 0.
    action: int
    next_step_type: int
    reward: float
    discount: float


def episode(env: int, number: int, length: int) -> list[Row]:
    """The rows of an episode of `length` transitions; the last is the border's."""
    rows = [
        Row(
            step_type=StepType.FIRST if time == 0 else StepType.MID,
            observation=(env, number, time, 0),
            action=(env + time) % 2,
            next_step_type=StepType.LAST if time == length - 1 else StepType.MID,
            reward=time + 0.5,
            discount=0.0 if time == length - 1 else 1.0,
        )
        for time in range(length)
    ]
    border = Row(StepType.LAST, (env, number, length, 0), 0, StepType.FIRST, 0.0, 1.0)
    return [*rows, border]


def cut_off(env: int, number: int, length: int) -> list[Row]:
    """The rows of an episode that a time limit ends: it would have gone on."""
    rows = episode(env, number, length)
    rows[-2] = rows[-2]._replace(discount=1.0)
    return rows


def abandoned(env: int, number: int, length: int) -> list[Row]:
    """The rows of an episode in whose last action, of so many, the environment fails.

    The first step of the next episode follows at once.
    """
    *rows, failed, _ = episode(env, number, length)
    return [
        *rows,
        failed._replace(next_step_type=StepType.FIRST, reward=0.0, discount=1.0),
    ]


def experience(lengths: Sequence[Sequence[int]]) -> list[list[Row]]:
    """What the environments do: for each round, a row of each environment.

    Args:
      lengths: For each environment, the transitions of its episodes, of abandoned ones
        the actions as a negative number, of those cut off by a time limit 100 more; it
        ends when the first environment is through with its own.
    """
    streams: list[list[Row]] = [[] for _ in lengths]
    for env, own in enumerate(lengths):
        for number, length in enumerate(own):
            if length > _CUT_OFF:
                streams[env] += cut_off(env, number, length - _CUT_OFF)
            elif length > 0:
                streams[env] += episode(env, number, length)
            else:
                streams[env] += abandoned(env, number, -length)
    return [list(rows) for rows in zip(*streams)]


def batches(rounds: Sequence[Sequence[Row]]) -> Iterator[trajectory.Trajectory]:
    """The same as batches of arrays, as a driver hands them over."""
    for rows in rounds:
        yield trajectory.Trajectory(
            step_type=np.array([row.step_type for row in rows], np.int32),
            observation=np.array([row.observation for row in rows], np.float32),
            action=np.array([row.action for row in rows], np.int64),
            policy_info=(),
            next_step_type=np.array([row.next_step_type for row in rows], np.int32),
            reward=np.array([row.reward for row in rows], np.float32),
            discount=np.array([row.discount for row in rows], np.float32),
        )


def windows(
    rounds: Sequence[Sequence[Row]], length: int, stride: int = 1, spans: bool = False
) -> list[list[Row]]:
    """All windows of consecutive steps, as they become complete.

    Args:
      rounds: What the environments do.
      length: Steps of a window.
      stride: Steps between the beginnings of two.
      spans: Whether any end of an episode may lie in one; if not, only a terminal one
        may, and what begins with the last step of an episode is none.
    """
    found = []
    begins = [0] * len(rounds[0])
    for end in range(1, len(rounds) + 1):
        for env in range(len(rounds[0])):
            stream = [rows[env] for rows in rounds[:end]]
            if end > 1 and not _may_follow(stream[-3:], spans):
                begins[env] = end - 1
            beyond = end - begins[env] - length
            rows = stream[-length:]
            if beyond < 0 or beyond % stride:
                continue
            if spans or rows[0].step_type != StepType.LAST:
                found.append(rows)
    return found


def _may_follow(rows: Sequence[Row], spans: bool) -> bool:
    """Whether the last of these rows may be in one window with the one before it."""
    *_, before, newest = rows
    if newest.step_type != StepType.FIRST:
        return True
    return before.step_type == StepType.LAST and (spans or rows[0].discount == 0)


def rows_of(content: trajectory.Trajectory) -> list[Row]:
    """The rows of one window."""
    return [
        Row(
            int(content.step_type[time]),
            tuple(int(number) for number in content.observation[time]),
            int(content.action[time]),
            int(content.next_step_type[time]),
            float(content.reward[time]),
            float(content.discount[time]),
        )
        for time in range(len(content.step_type))
    ]


def queue(layout: ReplayLayout, max_size: int = 10_000) -> reverb.Table:
    """A table that looks like the replay table, but gives each item once, in order.

    When it is full it lets nobody insert.
    """
    return reverb.Table.queue(
        tables.REPLAY, max_size, signature={"steps": layout.signature}
    )


def take(client: reverb.Client, layout: ReplayLayout, items: int) -> list[Step]:
    """Takes items out of a `queue`; their windows, one after the other."""
    if not items:
        return []
    samples = client.sample(tables.REPLAY, items, emit_timesteps=False)
    steps = np.concatenate([sample.data[0] for sample in samples])
    packed = steps.reshape(-1, layout.sequence_length, layout.codec.step_bytes)
    return [layout.codec.unpack_array(window) for window in packed]
