"""What a run of an on-policy agent needs of the other settings."""

from __future__ import annotations

import logging
import math

from experiment.agents import OnPolicyAgent
from experiment.definition import Experiment
from experiment.errors import ConfigurationError
from experiment.settings import Collect, Replay


def windows_per_version(replay: Replay, collect: Collect, num_actors: int) -> int:
    """Windows that each environment has to give, so that a batch is full.

    Args:
      replay: Says how many windows a batch has.
      collect: Says how many environments an actor has.
      num_actors: Actors of the run.
    """
    return math.ceil(replay.batch_size / (num_actors * collect.envs_per_actor))


def rounds_per_version(replay: Replay, collect: Collect, num_actors: int) -> int:
    """Steps of each environment for these windows: they share a step with the next."""
    windows = windows_per_version(replay, collect, num_actors)
    return windows * replay.sequence_stride + 1


def check_on_policy(
    agent: OnPolicyAgent, experiment: Experiment, num_actors: int
) -> None:
    """Refuses settings that are made for old data.

    Args:
      agent: Of the experiment.
      experiment: What is learned.
      num_actors: Actors of the run.

    Raises:
      ConfigurationError: One of them makes no sense.
    """
    replay, collect = experiment.replay, experiment.collect
    length = replay.sequence_length or 0  # The layout refuses None.
    wanted = {
        "Replay.sequence_stride": (replay.sequence_stride, length - 1),
        "Replay.transitions_per_item": (replay.windows_per_item, 1),
        "Replay.samples_per_insert": (replay.samples_per_insert, None),
        "Replay.priority_exponent": (replay.priority_exponent, 0),
        "Collect.initial_collect_steps": (collect.initial_collect_steps, 0),
        "Train.steps_per_call": (experiment.train.steps_per_call, 1),
    }
    wrong = {name: each for name, each in wanted.items() if each[0] != each[1]}
    if wrong:
        found = ", ".join(f"{name} is {got}" for name, (got, _) in wrong.items())
        remedy = ", ".join(f"{name} = {only}" for name, (_, only) in wrong.items())
        raise ConfigurationError(
            f"{found}, but {type(agent.wrapped).__name__} learns once from each "
            f"window of its present policy; set {remedy}."
        )
    batch = replay.batch_size * replay.env_steps_per_item
    if replay.max_size < batch:
        raise ConfigurationError(
            f"Replay.max_size is {replay.max_size}, but a batch has {batch} "
            f"transitions; set it to {2 * batch}, say."
        )
    agent.check_batch(replay.batch_size, length)
    if surplus := surplus_of(replay, collect, num_actors):
        logging.warning("%s", surplus)


def _collected(replay: Replay, collect: Collect, num_actors: int) -> int:
    """Windows that all actors collect with the same weights, at least a batch."""
    each = windows_per_version(replay, collect, num_actors)
    return num_actors * collect.envs_per_actor * each


def surplus_of(replay: Replay, collect: Collect, num_actors: int) -> str | None:
    """Says which windows are collected in vain, and what helps; None if none are.

    Args:
      replay: Says how many windows a batch has.
      collect: Says how many environments an actor has.
      num_actors: Actors of the run.
    """
    collected = _collected(replay, collect, num_actors)
    if collected <= replay.batch_size:
        return None
    return (
        f"Replay.batch_size is {replay.batch_size}, but {num_actors} actors with "
        f"{collect.envs_per_actor} environments collect {collected} windows with the "
        f"same weights, and the surplus is dropped; set it to {collected}"
    )


def require_no_surplus(replay: Replay, collect: Collect, num_actors: int) -> None:
    """Refuses to scale a run to actors that would collect in vain.

    Args:
      replay: Says how many windows a batch has.
      collect: Says how many environments an actor has.
      num_actors: Wanted.

    Raises:
      ConfigurationError: They would; it says which numbers do.
    """
    collected = _collected(replay, collect, num_actors)
    if collected == replay.batch_size:
        return
    most = replay.batch_size // collect.envs_per_actor
    fits = [
        str(number)
        for number in range(1, most + 1)
        if _collected(replay, collect, number) == replay.batch_size
    ]
    remedy = f"choose one of {', '.join(fits)}" if fits else "this run cannot be scaled"
    raise ConfigurationError(
        f"--num_actors is {num_actors}, but the agent is on-policy: with "
        f"{collect.envs_per_actor} environments each they would collect {collected} "
        f"windows for a batch of {replay.batch_size}; {remedy}."
    )
