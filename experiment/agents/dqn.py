"""Deep Q-learning and what was added to it since."""

from __future__ import annotations

import functools
from typing import Callable

import gin
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.agents.dqn import dqn_agent as tf_dqn_agent
from tf_agents.networks import network as tf_network
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types
from tf_agents.utils import common

from experiment.agents import checks
from experiment.agents.building import build_network, gives_values
from experiment.agents.recurrent_dqn import RecurrentDdqnAgent, RecurrentDqnAgent
from experiment.errors import (
    ConfigurationError,
    check_bool,
    check_number,
    check_one_of,
)
from experiment.networks import NetworkFactory, q_network

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
    network: NetworkFactory = q_network,
    learning_rate: float = 1e-3,
    gamma: float = 0.99,
    epsilon_greedy: float = 0.1,
    target_update_period: int = 1,
    target_update_tau: float = 1.0,
    loss: str = "huber",
    double_q: bool = False,
    n_step: int = 1,
    burn_in: int = 0,
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
      n_step: Rewards that are summed up before a Q-value stands for the rest (Sutton,
        1988, doi:10.1007/BF00115009).
      burn_in: First steps of each sequence that are left out of the loss: they give a
        recurrent network a state to learn from.
      gradient_clipping: Largest norm of a gradient; None clips nothing.

    Returns:
      The agent, its variables not yet initialised.

    Raises:
      ConfigurationError: A value is out of range, or the actions do not suit DQN.
    """
    checks.check_optimisation("dqn_agent", gamma, gradient_clipping)
    checks.check_targets("dqn_agent", target_update_period, target_update_tau)
    checks.check_q_learning("dqn_agent", learning_rate, epsilon_greedy, n_step)
    check_one_of("dqn_agent.loss", loss, _LOSSES)
    check_bool("dqn_agent.double_q", double_q)
    checks.check_discrete("dqn_agent", action_spec)
    actions = checks.count_actions(action_spec)
    built = build_network(
        "dqn_agent.network",
        network,
        (time_step_spec.observation, action_spec),
        inputs=time_step_spec.observation,
        fits=gives_values(actions),
        wanted=f"one Q-value for each of {actions} actions, e.g. @q_network",
        may_be_recurrent=True,
    )
    agent_class = _agent_class(built, double_q, n_step, burn_in)
    return agent_class(
        time_step_spec,
        action_spec,
        q_network=built,
        optimizer=tf.keras.optimizers.Adam(learning_rate=learning_rate),
        epsilon_greedy=epsilon_greedy,
        target_update_period=target_update_period,
        target_update_tau=target_update_tau,
        td_errors_loss_fn=_LOSSES[loss],
        gamma=gamma,
        gradient_clipping=gradient_clipping,
        train_step_counter=train_step,
    )


def _agent_class(
    network: tf_network.Network, double_q: bool, n_step: int, burn_in: int
) -> Callable[..., tf_agent.TFAgent]:
    """TF-Agents' class, or ours for sequences, with what they are told apart by."""
    check_number("dqn_agent.burn_in", burn_in, at_least=0, integer=True)
    if not network.state_spec:
        if burn_in:
            raise ConfigurationError(
                f"dqn_agent.burn_in is {burn_in}, but {type(network).__name__} is not "
                "recurrent; leave it out, or bind @recurrent_q_network."
            )
        of_windows = tf_dqn_agent.DdqnAgent if double_q else tf_dqn_agent.DqnAgent
        return functools.partial(of_windows, n_step_update=n_step)
    of_sequences = RecurrentDdqnAgent if double_q else RecurrentDqnAgent
    return functools.partial(of_sequences, burn_in=burn_in, n_step=n_step)
