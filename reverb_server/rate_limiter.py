"""The rate limiter of the replay table: samples per insert, with a safe tolerance.

Reverb counts items; here all numbers for people are transitions. Both ratios are the
same, since samples and inserts are items alike.
"""

from __future__ import annotations

import enum
import math
import sys
from typing import Any

import reverb

from experiment.errors import ConfigurationError
from experiment.settings import Collect, Replay, Train

# Batches that are unpacked at a time.
STACK = 4


class Waits(enum.Enum):
    """Who is made to wait by the limiter of a table."""

    FOR_FILLING = enum.auto()  # Samples, until the table is filled to its minimum.
    SAMPLES = enum.auto()  # For inserts.
    INSERTS = enum.auto()  # For samples.
    NOBODY = enum.auto()

    @property
    def held(self) -> str:
        """What it holds: "samples", "inserts" or nothing."""
        if self is Waits.NOBODY:
            return ""
        return "inserts" if self is Waits.INSERTS else "samples"


def in_flight_items(replay: Replay, train: Train) -> int:
    """Items that the learner asks for in advance: those of two calls of its graph.

    With fewer it would wait for the server's answers, above all if the actors keep the
    processors busy (docs/performance.md).
    """
    transitions = 2 * train.steps_per_call * replay.batch_size
    return math.ceil(transitions / replay.windows_per_item)


def min_items_to_sample(replay: Replay, collect: Collect) -> int:
    """Items that must be in the table before the first sample."""
    transitions = max(replay.min_size_to_sample, collect.initial_collect_steps)
    return math.ceil(transitions / replay.env_steps_per_item)


def smallest_tolerance(
    replay: Replay, collect: Collect, train: Train, num_actors: int, ratio: float
) -> int:
    """Smallest tolerance, in samples of transitions, that leaves both sides moving.

    The learner holds samples that it has not yet used: in flight, being unpacked (one
    stack done, one begun), ready for two calls of the graph, and in use by one.
    Actors insert in bursts, one transition of each environment. Were the
    tolerance below the sum, one side could wait for the other although neither is
    ahead in truth. Reverb itself needs at least max(1, samples per insert) items.

    Args:
      replay: Settings of the table.
      collect: Settings of the actors.
      train: Settings of the learner.
      num_actors: Actors of the run.
      ratio: Samples per insert.

    Returns:
      The tolerance, in samples.
    """
    sampled_ahead = (
        in_flight_items(replay, train) * replay.windows_per_item
        + (2 * STACK + 3 * train.steps_per_call) * replay.batch_size
    )
    inserted_ahead = num_actors * max(collect.envs_per_actor, replay.windows_per_item)
    return math.ceil(sampled_ahead + ratio * inserted_ahead)


def rate_limiter(
    replay: Replay, collect: Collect, train: Train, num_actors: int
) -> reverb.rate_limiters.RateLimiter:
    """Builds the limiter.

    Returns:
      A limiter that keeps the ratio, or one that only waits for the first
      transitions if `samples_per_insert` is None.

    Raises:
      ConfigurationError: The settings would block actors or learner for ever.
    """
    min_items = min_items_to_sample(replay, collect)
    if min_items * replay.env_steps_per_item > replay.max_size:
        raise ConfigurationError(
            f"Replay.max_size is {replay.max_size}, but the first sample waits for "
            f"{min_items * replay.env_steps_per_item} transitions; raise it to that."
        )
    ratio = replay.samples_per_insert
    if ratio is None:
        return reverb.rate_limiters.MinSize(min_items)
    smallest = smallest_tolerance(replay, collect, train, num_actors, ratio)
    tolerance = replay.samples_per_insert_tolerance or smallest
    if tolerance < smallest:
        raise ConfigurationError(
            f"Replay.samples_per_insert_tolerance is {tolerance}; with these batches, "
            f"this Train.steps_per_call and {num_actors} actors it must be >= "
            f"{smallest}, or None to have it computed."
        )
    items = max(tolerance / replay.windows_per_item, 1.0, ratio)
    return reverb.rate_limiters.SampleToInsertRatio(
        samples_per_insert=float(ratio),
        min_size_to_sample=min_items,
        error_buffer=float(items),
    )


def who_waits(table: Any) -> Waits:
    """Who has to wait, by the formulas of reverb/cc/rate_limiter.cc.

    Args:
      table: What `server_info` said of it.
    """
    limiter = table.rate_limiter_info
    ratio = limiter.samples_per_insert
    ahead = limiter.insert_stats.completed * ratio - limiter.sample_stats.completed
    if table.current_size < limiter.min_size_to_sample:
        return Waits.FOR_FILLING
    if ahead - 1 < limiter.min_diff:
        return Waits.SAMPLES
    if ahead + ratio > limiter.max_diff:
        return Waits.INSERTS
    return Waits.NOBODY


def keeps_ratio(table: Any) -> bool:
    """Whether it keeps samples per insert, not only a size before the first sample.

    Args:
      table: What `server_info` said of it.
    """
    # What reverb.rate_limiters.MinSize takes for "no limit".
    return bool(table.rate_limiter_info.max_diff < sys.float_info.max)
