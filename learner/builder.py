"""Builds the learner's parts from the run's experiment."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.train import learner as tf_learner

from experiment import run_dir, seeding
from experiment.agents import OnPolicyAgent
from experiment.definition import Experiment
from experiment.idle import IdleLimit
from learner import checkpoints, learning_agent, learning_rates, replicas
from learner.batch_queue import BatchQueue, Further
from learner.compiled_agent import CompiledAgent
from learner.learning_agent import LearningAgent
from learner.policy_export import PolicyExporter
from learner.policy_lag import PolicyLag
from learner.priority_updates import PriorityUpdates
from learner.publisher import Publisher
from learner.trainer import Trainer
from learner.window_queue import WindowQueue
from reverb_server import (
    priorities,
    rate_limiter,
    replay_dataset,
    replay_layout,
    tables,
)
from reverb_server.membership import Membership
from reverb_server.replay_dataset import SampleInfo
from reverb_server.replay_layout import ReplayLayout
from reverb_server.shard import Shard

# The Learner saves by train steps; here it is told when to, by time.
_NEVER = 2**62


def build(
    experiment: Experiment,
    run: Membership,
    root_dir: Path,
    strategy: tf.distribute.Strategy,
) -> Trainer:
    """Builds the agent, restored from its last checkpoint if there is one.

    Args:
      experiment: What is learned.
      run: The run this learner has joined.
      root_dir: Folder of the run.
      strategy: Of the devices to train on.

    Returns:
      The agent, ready to be trained.

    Raises:
      ConfigurationError: The folder holds the checkpoints of another run, or none of
        them can be read; the agent cannot be trained on the devices; or the server's
        tables are not those of this experiment.
    """
    checkpoints.prepare(root_dir, run.manifest)
    seeding.seed_role(run.manifest.seed, "learner")
    learning = learning_agent.make(experiment, experiment.environment(), strategy)
    largest = priorities.largest_priority(experiment.replay)
    weights = tables.weights_of(learning.agent, learning.train_step, largest)
    tables.require_weights(run.client, weights)
    trainer = build_trainer(
        experiment, learning, run.address, root_dir, run.store_replay, run.shards
    )
    run.on_return(trainer.batches.renew)
    for shard in run.shards:
        shard.on_change(functools.partial(trainer.batches.renew, shard.number))
    return trainer


def idle_limit(experiment: Experiment, run: Membership, trainer: Trainer) -> IdleLimit:
    """Whether to go on: until the run ends, or nothing moves for half an hour."""
    per_item = experiment.replay.env_steps_per_item
    return IdleLimit(
        run.is_running,
        lambda: (trainer.train_step, run.env_steps(per_item)),
        "experience: are the actors gone? See the server's log",
    )


def build_trainer(
    experiment: Experiment,
    learning: LearningAgent,
    address: str,
    root_dir: Path,
    store_replay: Callable[[int], str | None],
    shards: Sequence[Shard] = (),
) -> Trainer:
    """As `build`, for an agent that exists already and checkpoints that are whole.

    Args:
      experiment: What is learned.
      learning: To be trained.
      address: host:port of the run's server.
      root_dir: Folder of the run.
      store_replay: Takes a snapshot of the replay table, named by the train step; says
        why it could not.
      shards: The further replay servers.

    Returns:
      The agent, ready to be trained.
    """
    agent, train_step = learning.agent, learning.train_step
    layout = replay_layout.replay_layout(agent, experiment.replay)
    steps_per_batch = agent.steps_per_batch if isinstance(agent, OnPolicyAgent) else 1
    lag = PolicyLag(train_step, steps_per_batch)
    largest = priorities.largest_priority(experiment.replay)
    updates = None if largest is None else PriorityUpdates(address, largest)
    is_alone = learning.devices == 1
    look = _each(lag, updates)
    rates = learning_rates.read(agent)
    learner = tf_learner.Learner(
        str(root_dir),
        train_step,
        _in_calls(experiment, learning, layout, largest),
        after_train_strategy_step_fn=look if is_alone else replicas.together(look),
        checkpoint_interval=_NEVER,
        strategy=learning.strategy,
    )
    learning_rates.write(rates)
    return Trainer(
        learner,
        agent,
        _batches(experiment, layout, address, shards, learning),
        lag,
        Publisher(address),
        PolicyExporter(*learning.exact, root_dir, learning.refresh),
        store_replay=store_replay,
        checkpoints_dir=root_dir / run_dir.CHECKPOINTS,
        updates=updates,
        summary_interval=experiment.train.summary_interval,
    )


def _in_calls(
    experiment: Experiment,
    learning: LearningAgent,
    layout: ReplayLayout,
    largest_priority: tf.Variable | None,
) -> CompiledAgent:
    """The agent as a call of the graph trains it."""
    agent, length = learning.agent, layout.sequence_length
    if learning.devices > 1:
        return replicas.ReplicatedAgent(agent, length, largest_priority)
    jit_compile = experiment.train.jit_compile
    return CompiledAgent(agent, jit_compile, length, largest_priority)


def _each(lag: PolicyLag, updates: PriorityUpdates | None) -> replicas.Look:
    """What looks at the samples and the losses of each call."""

    def look(sample: tuple[Any, SampleInfo], loss_info: tf_agent.LossInfo) -> None:
        lag(sample, loss_info)
        if updates:
            updates(sample, loss_info)

    return look


def _batches(
    experiment: Experiment,
    layout: ReplayLayout,
    address: str,
    shards: Sequence[Shard],
    learning: LearningAgent,
) -> BatchQueue | WindowQueue:
    """What comes from the replay table, ready to be trained on."""
    if layout.is_on_policy:
        size = experiment.replay.batch_size
        dataset = replay_dataset.window_dataset(address, layout, in_flight_items=size)
        return WindowQueue(dataset, size, learning.train_step)
    # While one call of the graph trains, the batches of the next come together.
    capacity = 2 * experiment.train.steps_per_call
    make = functools.partial(_dataset, experiment, layout, 1 + len(shards))
    dataset = make(address)
    further = [
        Further(make(each.address, is_shard=True), functools.partial(_is_lost, each))
        for each in shards
    ]
    if learning.devices > 1:
        strategy = learning.strategy
        return replicas.SharedBatches(dataset, capacity, strategy, further)
    return BatchQueue(dataset, capacity, further)


def _is_lost(shard: Shard) -> bool:
    return shard.is_lost


def _dataset(
    experiment: Experiment,
    layout: ReplayLayout,
    servers: int,
    address: str,
    is_shard: bool = False,
) -> tf.data.Dataset:
    """Stacks of batches of one of the replay servers, as the agent takes them."""
    replay = experiment.replay
    in_flight_items = rate_limiter.in_flight_items(replay, experiment.train)
    dataset = replay_dataset.replay_dataset(
        address,
        layout,
        replay.batch_size,
        math.ceil(in_flight_items / servers),
        replay.importance_exponent if replay.is_prioritized else None,
        is_shard=is_shard,
    )
    if not replay.is_prioritized:
        return dataset
    # The agent takes the weights with the experience.
    return dataset.map(lambda steps, info: ((steps, info.weights), info))
