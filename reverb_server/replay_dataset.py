"""Reads batches of transitions from the replay table."""

from __future__ import annotations

from typing import NamedTuple

import reverb
import tensorflow as tf

from reverb_server import tables
from reverb_server.rate_limiter import STACK
from reverb_server.replay_layout import ReplayLayout, require_signature

_CONNECT_TIMEOUT_S = 10


class SampleInfo(NamedTuple):
    """What is known of a sampled batch beside the experience.

    Attributes:
      policy_train_step: int64 [N, B], the train step of the weights that chose the
        first action of each window; `replay_layout.RANDOM_POLICY` if none did.
    """

    policy_train_step: tf.Tensor


def replay_dataset(
    address: str, layout: ReplayLayout, batch_size: int, in_flight_items: int = 32
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

    Returns:
      Pairs of a Trajectory [N, B, T, ...] and a `SampleInfo`, with N = `STACK`.

    Raises:
      ConfigurationError: The table's signature is not that of `layout`.
    """
    # A dataset's own spec has no names.
    info = reverb.Client(address).server_info(timeout=_CONNECT_TIMEOUT_S)
    require_signature(layout, info[tables.REPLAY].signature)
    samples = reverb.TrajectoryDataset.from_table_signature(
        address,
        tables.REPLAY,
        max_in_flight_samples_per_worker=in_flight_items,
        num_workers_per_iterator=1,
        get_signature_timeout_secs=_CONNECT_TIMEOUT_S,
    )

    def unpack(sample: reverb.ReplaySample) -> tuple[object, SampleInfo]:
        rows = tf.reshape(
            sample.data["steps"],
            [STACK, batch_size, layout.sequence_length, layout.codec.step_bytes],
        )
        steps = layout.codec.unpack(rows)
        return steps.trajectory, SampleInfo(steps.policy_train_step[..., 0])

    items = STACK * batch_size // layout.transitions_per_item
    return samples.batch(items, drop_remainder=True).map(unpack)
