"""Sizes that this machine or Reverb cannot hold, refused before there is a server."""

from __future__ import annotations

import logging
import math

import psutil
import tensorflow as tf
from tf_agents.typing import types

from experiment import available_memory
from experiment.errors import ConfigurationError
from experiment.settings import Replay
from reverb_server.replay_layout import ReplayLayout

# Protobuf ends the process at 2 GB; a row of the `end` table has the weights too.
MAX_WEIGHTS_BYTES = 1_500_000_000

_GB = 1e9

# What Reverb's server keeps beside the bytes of a chunk, beside an item, and for each
# chunk of an item: fitted to the growth of a server's memory by 8,000 to 80,000 items
# of 1 to 20 chunks of 64 to 7,088 bytes, with dm-reverb 0.14; they fit within 5 %.
_CHUNK_BYTES = 880
_ITEM_BYTES = 560
_CHUNK_OF_ITEM_BYTES = 88


def check_weights(specs: types.NestedTensorSpec) -> None:
    """Refuses weights that do not fit into one message.

    Args:
      specs: Of all that is pushed.

    Raises:
      ConfigurationError: They are too large.
    """
    size = weights_bytes(specs)
    if size > MAX_WEIGHTS_BYTES:
        raise ConfigurationError(
            f"the agent's weights have {size / _GB:.1f} GB, but Reverb can carry "
            f"{MAX_WEIGHTS_BYTES / _GB} GB at most, in one message; make its network "
            "smaller, e.g. by q_network.layers."
        )


def weights_bytes(specs: types.NestedTensorSpec) -> int:
    """Bytes of weights with these specs, or of variables."""
    return sum(
        math.prod(spec.shape) * spec.dtype.size for spec in tf.nest.flatten(specs)
    )


def replay_bytes(layout: ReplayLayout, replay: Replay) -> int:
    """Bytes of a full replay table, about, before Reverb compresses the steps in it.

    Args:
      layout: Of the table.
      replay: Its settings.
    """
    items = replay.max_size / layout.env_steps_per_item
    chunks, chunks_per_item = items, 1
    chunk_bytes = math.prod(layout.signature.shape)
    if layout.shares_steps:  # A chunk for each step, in several items.
        chunks, chunks_per_item = float(replay.max_size), layout.stored_length
        chunk_bytes = layout.codec.step_bytes
    return math.ceil(
        chunks * (chunk_bytes + _CHUNK_BYTES)
        + items * (_ITEM_BYTES + chunks_per_item * _CHUNK_OF_ITEM_BYTES)
    )


def check_replay(layout: ReplayLayout, replay: Replay) -> None:
    """Refuses a replay table that is larger than this machine's memory.

    Reverb compresses what it stores, some data to a small part; so a table that is
    larger than what is free now is only warned of.

    Args:
      layout: Of the table.
      replay: Its settings.

    Raises:
      ConfigurationError: It is too large.
    """
    size = replay_bytes(layout, replay)
    total = psutil.virtual_memory().total
    told = (
        f"Replay.max_size is {replay.max_size}, and so many transitions have "
        f"about {size / _GB:.1f} GB when full, not compressed"
    )
    if size > total:
        most = total * replay.max_size // size
        raise ConfigurationError(
            f"{told}, but this machine has {total / _GB:.1f} GB of memory; set "
            f"it to {most} at most."
        )
    available = available_memory.available_bytes()
    if size > available:
        logging.warning(
            "%s; %.1f GB are available now: if the server is killed, lower it",
            told,
            available / _GB,
        )
