"""Agents, as factories `(time_step_spec, action_spec, train_step) -> TFAgent`."""

from __future__ import annotations

from typing import Callable

import gin
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.agents.dqn import dqn_agent as tf_dqn_agent
from tf_agents.networks import network as tf_network
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types
from tf_agents.utils import common

from experiment import networks
from experiment.errors import ConfigurationError, check_number
from experiment.factories import check_factory

AgentFactory = Callable[
    [ts.TimeStep, types.NestedTensorSpec, tf.Variable], tf_agent.TFAgent
]
NetworkFactory = Callable[
    [types.NestedTensorSpec, types.NestedTensorSpec], tf_network.Network
]

_LOSSES = {
    "huber": common.element_wise_huber_loss,
    "squared": common.element_wise_squared_loss,
}


@gin.configurable
def dqn_agent(
    time_step_spec: ts.TimeStep,
    action_spec: types.NestedTensorSpec,
    train_step: tf.Variable,
    *,
    network: NetworkFactory = networks.q_network,
    learning_rate: float = 1e-3,
    gamma: float = 0.99,
    epsilon_greedy: float = 0.1,
    target_update_period: int = 1,
    target_update_tau: float = 1.0,
    loss: str = "huber",
    double_q: bool = False,
    gradient_clipping: float | None = None,
) -> tf_agent.TFAgent:
    """Deep Q-learning (Mnih et al., 2015, doi:10.1038/nature14236).

    Args:
      time_step_spec: Spec of one unbatched time step.
      action_spec: Must be one scalar of discrete actions, counted from 0.
      train_step: int64 scalar variable that counts gradient steps.
      network: Factory of the Q-network.
      learning_rate: Of Adam.
      gamma: Discount of future rewards, in [0, 1].
      epsilon_greedy: Probability of a random action in the collect policy.
      target_update_period: Gradient steps between updates of the target network.
      target_update_tau: Share of the weights copied at such an update; 1 is all.
      loss: Of the temporal-difference error: `huber` or `squared`.
      double_q: Whether the online network chooses the action that the target network
        values (Double DQN, van Hasselt et al., 2015, arXiv:1509.06461).
      gradient_clipping: Largest norm of a gradient; None clips nothing.

    Returns:
      The agent, its variables not yet initialised.

    Raises:
      ConfigurationError: A value is out of range, or the actions do not suit DQN.
    """
    _check_optimisation("dqn_agent", learning_rate, gamma, gradient_clipping)
    _check_targets("dqn_agent", target_update_period, target_update_tau)
    check_number("dqn_agent.epsilon_greedy", epsilon_greedy, at_least=0, at_most=1)
    if loss not in tuple(_LOSSES):
        raise ConfigurationError(
            f"dqn_agent.loss is {loss!r}; it must be one of {sorted(_LOSSES)}."
        )
    if not isinstance(double_q, bool):
        raise ConfigurationError(
            f"dqn_agent.double_q is {double_q!r}; it must be True or False."
        )
    check_factory("dqn_agent.network", network, takes=2)
    _check_discrete("dqn_agent", action_spec)
    agent_class = tf_dqn_agent.DdqnAgent if double_q else tf_dqn_agent.DqnAgent
    return agent_class(
        time_step_spec,
        action_spec,
        q_network=network(time_step_spec.observation, action_spec),
        optimizer=tf.keras.optimizers.Adam(learning_rate=learning_rate),
        epsilon_greedy=epsilon_greedy,
        target_update_period=target_update_period,
        target_update_tau=target_update_tau,
        td_errors_loss_fn=_LOSSES[loss],
        gamma=gamma,
        gradient_clipping=gradient_clipping,
        train_step_counter=train_step,
    )


def _check_optimisation(
    agent: str, learning_rate: float, gamma: float, gradient_clipping: float | None
) -> None:
    """Refuses what no agent can learn with."""
    check_number(f"{agent}.learning_rate", learning_rate, above=0)
    check_number(f"{agent}.gamma", gamma, at_least=0, at_most=1)
    if gradient_clipping is not None:
        check_number(f"{agent}.gradient_clipping", gradient_clipping, above=0)


def _check_targets(agent: str, period: int, tau: float) -> None:
    """Refuses what no target network can be updated by."""
    check_number(f"{agent}.target_update_period", period, at_least=1, integer=True)
    check_number(f"{agent}.target_update_tau", tau, above=0, at_most=1)


def _check_discrete(agent: str, action_spec: types.NestedTensorSpec) -> None:
    """Refuses any action but one discrete scalar counted from 0."""
    flat = tf.nest.flatten(action_spec)
    if (
        len(flat) == 1
        and isinstance(flat[0], tensor_spec.BoundedTensorSpec)
        and tensor_spec.is_discrete(flat[0])
        and flat[0].shape.rank == 0
        and flat[0].minimum == 0
    ):
        return
    got = ", ".join(
        f"{spec.dtype.name}{list(spec.shape)} in "
        f"[{getattr(spec, 'minimum', '-inf')}, {getattr(spec, 'maximum', 'inf')}]"
        for spec in flat
    )
    raise ConfigurationError(
        f"{agent} needs one discrete action counted from 0, but this environment's "
        f"actions are {got}; choose another agent or another environment."
    )
