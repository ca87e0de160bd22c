"""The agent in training: on which devices, how exactly, and what goes out of it."""

from __future__ import annotations

import dataclasses

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.agents.td3 import td3_agent
from tf_agents.environments import py_environment

from experiment.definition import Experiment
from experiment.errors import ConfigurationError
from learner import replicas
from reverb_server import tables
from reverb_server.weights import assign

BFLOAT16_IN_CONDITION = (
    "XLA cannot compile gradient steps that take bfloat16 into a condition, as TD3's "
    "do; set Train.mixed_precision = False, or Train.jit_compile = False."
)


@dataclasses.dataclass(frozen=True)
class LearningAgent:
    """An agent, and what a learner needs to know of it.

    Attributes:
      agent: In training.
      train_step: Of the agent.
      strategy: Of the devices that it was made for.
      exact: An agent with its train step that computes in float32 and on one device,
        as actors do: for policies to be exported, and to act in this process. It may
        be the one in training; else see `refresh`.
    """

    agent: tf_agent.TFAgent
    train_step: tf.Variable
    strategy: tf.distribute.Strategy
    exact: tuple[tf_agent.TFAgent, tf.Variable]

    @property
    def devices(self) -> int:
        """On how many it trains."""
        return int(self.strategy.num_replicas_in_sync)

    def refresh(self) -> None:
        """Gives the exact agent the weights and the train step of now."""
        if self.exact[0] is not self.agent:
            assign(
                tables.weights_of(*self.exact),
                tables.weights_of(self.agent, self.train_step),
            )


def make(
    experiment: Experiment,
    environment: py_environment.PyEnvironment,
    strategy: tf.distribute.Strategy,
) -> LearningAgent:
    """Makes the agent in training.

    Args:
      experiment: What is learned.
      environment: For its specs, see `Experiment.make_agent`.
      strategy: Of the devices to train on.

    Raises:
      ConfigurationError: It cannot be trained there, or as exactly as is wanted.
    """
    count = strategy.num_replicas_in_sync
    replicas.check_settings(experiment, count)
    is_mixed = experiment.train.mixed_precision
    with strategy.scope():
        agent, train_step = experiment.make_agent(environment, is_mixed)
    if is_mixed and experiment.train.jit_compile:
        _check_conditions(agent)
    replicas.check_agent(agent, count)
    exact = (agent, train_step)
    if is_mixed or count > 1:
        exact = experiment.make_agent(environment)
    return LearningAgent(agent, train_step, strategy, exact)


def _check_conditions(agent: tf_agent.TFAgent) -> None:
    """Refuses what XLA of TensorFlow 2.15 cannot compile for processors.

    Others with a condition are told so at the first gradient step, see `trainer`.
    """
    if isinstance(agent, td3_agent.Td3Agent) and not tf.config.get_visible_devices(
        "GPU"
    ):
        raise ConfigurationError(BFLOAT16_IN_CONDITION)
