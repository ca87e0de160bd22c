"""Reads batches of transitions from the replay table."""

from __future__ import annotations

from typing import NamedTuple

import reverb
import tensorflow as tf

from reverb_server import address as address_lib
from reverb_server import frame_stack, tables
from reverb_server.priorities import importance_weights
from reverb_server.rate_limiter import STACK
from reverb_server.replay_layout import ReplayLayout, Step, require_signature


class SampleInfo(NamedTuple):
    """What is known of a sampled batch beside the experience.

    Attributes:
      policy_train_step: int64 [N, B], the train step of the weights that chose the
        first action of each window; `replay_layout.RANDOM_POLICY` if none did.
      keys: uint64 [N, B], Reverb's names of the items, by which they get other
        priorities; empty if all are sampled alike.
      weights: float32 [N, B], how much each window counts, see
        `priorities.importance_weights`; empty if all count alike.
    """

    policy_train_step: tf.Tensor
    keys: tf.Tensor | tuple[()] = ()
    weights: tf.Tensor | tuple[()] = ()


def replay_dataset(
    address: str,
    layout: ReplayLayout,
    batch_size: int,
    in_flight_items: int = 32,
    importance_exponent: float | None = None,
    is_shard: bool = False,
) -> tf.data.Dataset:
    """Makes an endless dataset of stacks of batches.

    The stock `ReverbReplayBuffer.as_dataset` interleaves many samplers of single
    steps; one sampler of whole items, unpacked some batches at a time, feeds the
    learner many times faster (docs/performance.md).

    Args:
      address: host:port of the server.
      layout: Of the replay table.
      batch_size: Transitions in a batch; a multiple of the transitions in an item.
      in_flight_items: Items asked for in advance.
      importance_exponent: Of the weights of samples; None if all are sampled alike.
      is_shard: Whether it is a further replay server, which may be lost just now; its
        table is made by the signature of the first one's.

    Returns:
      Pairs of a Trajectory [N, B, T, ...] and a `SampleInfo`, with N = `STACK`.

    Raises:
      ConfigurationError: The table's signature is not that of `layout`.
    """
    if not is_shard:
        _require_layout(address, layout)
    samples = _samples(address, layout, in_flight_items)

    def unpack(sample: reverb.ReplaySample) -> tuple[object, SampleInfo]:
        rows = tf.reshape(
            sample.data["steps"],
            [STACK, batch_size, layout.stored_length, layout.codec.step_bytes],
        )
        steps = _windows(layout.codec.unpack(rows), layout.frames)
        info = SampleInfo(steps.policy_train_step[..., 0])
        if importance_exponent is not None:
            info = _with_priorities(info, sample.info, batch_size, importance_exponent)
        return steps.trajectory, info

    items = STACK * batch_size // layout.windows_per_item
    return samples.batch(items, drop_remainder=True).map(unpack)


def window_dataset(
    address: str, layout: ReplayLayout, in_flight_items: int
) -> tf.data.Dataset:
    """Makes an endless dataset of single windows, in the order of their inserts.

    Args:
      address: host:port of the server.
      layout: Of the replay table; one window in an item.
      in_flight_items: Items asked for in advance.

    Returns:
      Pairs of a Trajectory [1, T, ...] and the train steps of the weights that chose
      the actions, int64 [1, T].

    Raises:
      ConfigurationError: The table's signature is not that of `layout`.
    """

    def unpack(sample: reverb.ReplaySample) -> tuple[object, tf.Tensor]:
        stored = layout.codec.unpack(sample.data["steps"][tf.newaxis])
        steps = _windows(stored, layout.frames)
        return steps.trajectory, steps.policy_train_step

    _require_layout(address, layout)
    return _samples(address, layout, in_flight_items).map(unpack)


def _require_layout(address: str, layout: ReplayLayout) -> None:
    """Refuses a server whose replay table is of another layout."""
    # A dataset's own spec has no names.
    replay = address_lib.ask(reverb.Client(address))[tables.REPLAY]
    require_signature(layout, replay.signature)


def _samples(
    address: str, layout: ReplayLayout, in_flight_items: int
) -> tf.data.Dataset:
    """Items of the replay table, once the server is there."""
    return reverb.TrajectoryDataset(
        address,
        tables.REPLAY,
        dtypes={"steps": layout.signature.dtype},
        shapes={"steps": layout.signature.shape},
        max_in_flight_samples_per_worker=in_flight_items,
        num_workers_per_iterator=1,
    )


def _windows(stored: Step, frames: int) -> Step:
    """The windows [..., T, *shape] of what is stored, [..., frames - 1 + T, *shape]."""
    if frames == 1:
        return stored
    content = stored.trajectory
    stacks = frame_stack.restack(content.observation, content.step_type, frames)
    outer = [slice(None)] * (content.step_type.shape.rank - 1)
    own = (*outer, slice(frames - 1, None))
    windows = tf.nest.map_structure(lambda part: part[own], stored)
    return windows._replace(trajectory=windows.trajectory.replace(observation=stacks))


def _with_priorities(
    info: SampleInfo, sampled: reverb.SampleInfo, batch_size: int, exponent: float
) -> SampleInfo:
    """Adds what is known of items of one window each."""
    keys, probability, size = (
        tf.reshape(each, [STACK, batch_size])
        for each in (sampled.key, sampled.probability, sampled.table_size)
    )
    return info._replace(
        keys=keys, weights=importance_weights(probability, size, exponent)
    )
