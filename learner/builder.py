"""Builds the learner's parts from the run's experiment."""

from __future__ import annotations

from pathlib import Path

import reverb
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.train import learner as tf_learner

from experiment import seeding
from experiment.definition import Experiment
from experiment.manifest import Manifest
from learner.batch_queue import BatchQueue
from learner.compiled_agent import CompiledAgent
from learner.policy_export import PolicyExporter
from learner.policy_lag import PolicyLag
from learner.publisher import Publisher
from learner.trainer import Trainer
from reverb_server import rate_limiter, replay_dataset, replay_layout, tables

# The Learner saves by train steps; here it is told when to, by time.
_NEVER = 2**62


def build(
    experiment: Experiment, manifest: Manifest, address: str, root_dir: Path
) -> Trainer:
    """Builds the agent, restored from its last checkpoint if there is one.

    Args:
      experiment: What is learned.
      manifest: Of the run.
      address: host:port of the server.
      root_dir: Folder of the run.

    Returns:
      The agent, ready to be trained.

    Raises:
      ConfigurationError: The server's tables are not those of this experiment.
    """
    seeding.seed_role(manifest.seed, "learner")
    agent, train_step = experiment.make_agent(experiment.environment())
    client = reverb.Client(address)
    tables.require_weights(client, tables.weights_of(agent, train_step))
    return build_trainer(experiment, agent, train_step, address, root_dir)


def build_trainer(
    experiment: Experiment,
    agent: tf_agent.TFAgent,
    train_step: tf.Variable,
    address: str,
    root_dir: Path,
) -> Trainer:
    """As `build`, for an agent that exists already."""
    lag = PolicyLag(train_step)
    learner = tf_learner.Learner(
        str(root_dir),
        train_step,
        CompiledAgent(agent, experiment.train.jit_compile),
        after_train_strategy_step_fn=lag,
        checkpoint_interval=_NEVER,
    )
    replay = experiment.replay
    dataset = replay_dataset.replay_dataset(
        address,
        replay_layout.replay_layout(agent, replay),
        replay.batch_size,
        rate_limiter.in_flight_items(replay, experiment.train),
    )
    return Trainer(
        learner,
        agent,
        # While one call of the graph trains, the batches of the next come together.
        BatchQueue(dataset, capacity=2 * experiment.train.steps_per_call),
        lag,
        Publisher(address),
        PolicyExporter(agent, train_step, root_dir),
        experiment.train.summary_interval,
    )
