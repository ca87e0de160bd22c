"""The agent in training: on which devices, how exactly, and what goes out of it."""

from __future__ import annotations

import contextlib
import dataclasses

import tensorflow as tf
from tf_agents.agents import tf_agent

from experiment import precision
from experiment.definition import Experiment
from learner import replicas


@dataclasses.dataclass(frozen=True)
class LearningAgent:
    """An agent, and what a learner needs to know of it.

    Attributes:
      agent: In training.
      train_step: Of the agent.
      strategy: Of the devices that it was made for.
      exported: An agent of the same weights with its train step, which computes in
        float32 and on one device: what policies are exported from. It may be the one
        in training.
    """

    agent: tf_agent.TFAgent
    train_step: tf.Variable
    strategy: tf.distribute.Strategy
    exported: tuple[tf_agent.TFAgent, tf.Variable]

    @classmethod
    def plain(cls, agent: tf_agent.TFAgent, train_step: tf.Variable) -> LearningAgent:
        """One that exists already, for one device, and in float32."""
        strategy = tf.distribute.get_strategy()
        return cls(agent, train_step, strategy, (agent, train_step))

    @property
    def devices(self) -> int:
        """On how many it trains."""
        return int(self.strategy.num_replicas_in_sync)


def make(experiment: Experiment, strategy: tf.distribute.Strategy) -> LearningAgent:
    """Makes the agent in training.

    Args:
      experiment: What is learned.
      strategy: Of the devices to train on.

    Raises:
      ConfigurationError: It cannot be trained there, or as exactly as is wanted.
    """
    count = strategy.num_replicas_in_sync
    replicas.check_settings(experiment, count)
    is_mixed = experiment.train.mixed_precision
    environment = experiment.environment()
    with precision.mixed() if is_mixed else contextlib.nullcontext(), strategy.scope():
        agent, train_step = experiment.make_agent(environment)
    if is_mixed:
        precision.require_mixed(agent)
    replicas.check_agent(agent, count)
    exported = (agent, train_step)
    if is_mixed or count > 1:
        exported = experiment.make_agent(environment)
    return LearningAgent(agent, train_step, strategy, exported)
