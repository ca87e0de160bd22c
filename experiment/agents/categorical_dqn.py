"""Categorical DQN: learns the distribution of returns instead of their mean."""

from __future__ import annotations

from typing import Any

import gin
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.agents.categorical_dqn import (
    categorical_dqn_agent as tf_categorical_dqn_agent,
)
from tf_agents.networks import network as tf_network
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment.agents import checks
from experiment.agents.building import build_network, gives_values
from experiment.errors import ConfigurationError, check_number
from experiment.networks import NetworkFactory, categorical_q_network

_NAME = "categorical_dqn_agent"


@gin.configurable
def categorical_dqn_agent(
    time_step_spec: ts.TimeStep,
    action_spec: types.NestedTensorSpec,
    train_step: tf.Variable,
    *,
    network: NetworkFactory = categorical_q_network,
    min_q_value: float = -10.0,
    max_q_value: float = 10.0,
    learning_rate: float = 1e-3,
    gamma: float = 0.99,
    epsilon_greedy: float = 0.1,
    target_update_period: int = 1,
    target_update_tau: float = 1.0,
    n_step: int = 1,
    gradient_clipping: float | None = None,
) -> tf_agent.TFAgent:
    """C51 (Bellemare et al., 2017, arXiv:1707.06887).

    Args:
      time_step_spec: Spec of one unbatched time step.
      action_spec: Must be one scalar of discrete actions, counted from 0.
      train_step: int64 scalar variable that counts gradient steps.
      network: Factory of a network of logits [B, actions, atoms], with `num_atoms`.
      min_q_value: Smallest discounted return that can be told; the default is C51's.
      max_q_value: The largest one. Returns beyond count as this.
      learning_rate: Of Adam.
      gamma: Discount of future rewards, in [0, 1].
      epsilon_greedy: Probability of a random action in the collect policy.
      target_update_period: Gradient steps between updates of the target network.
      target_update_tau: Share of the weights copied at such an update; 1 is all.
      n_step: Rewards that are summed up before a distribution stands for the rest.
      gradient_clipping: Largest norm of a gradient; None clips nothing.

    Returns:
      The agent, its variables not yet initialised.

    Raises:
      ConfigurationError: A value is out of range, or the actions do not suit it.
    """
    checks.check_optimisation(_NAME, gamma, gradient_clipping)
    checks.check_targets(_NAME, target_update_period, target_update_tau)
    checks.check_q_learning(_NAME, learning_rate, epsilon_greedy, n_step)
    check_number(f"{_NAME}.min_q_value", min_q_value)
    check_number(f"{_NAME}.max_q_value", max_q_value, above=min_q_value)
    checks.check_discrete(_NAME, action_spec)
    return tf_categorical_dqn_agent.CategoricalDqnAgent(
        time_step_spec,
        action_spec,
        categorical_q_network=_build(network, time_step_spec, action_spec),
        optimizer=tf.keras.optimizers.Adam(learning_rate=learning_rate),
        min_q_value=min_q_value,
        max_q_value=max_q_value,
        epsilon_greedy=epsilon_greedy,
        n_step_update=n_step,
        target_update_period=target_update_period,
        target_update_tau=target_update_tau,
        gamma=gamma,
        gradient_clipping=gradient_clipping,
        train_step_counter=train_step,
    )


def _build(
    network: NetworkFactory,
    time_step_spec: ts.TimeStep,
    action_spec: types.NestedTensorSpec,
) -> tf_network.Network:
    """Makes the network; raises `ConfigurationError` if it has no distributions."""
    actions = checks.count_actions(action_spec)

    def fits(given: Any) -> bool:
        is_ranked = isinstance(given, tf.TensorSpec) and bool(given.shape.rank)
        return is_ranked and gives_values(actions, given.shape[-1])(given)

    wanted = f"logits for each of {actions} actions, e.g. @categorical_q_network"
    built = build_network(
        f"{_NAME}.network",
        network,
        (time_step_spec.observation, action_spec),
        inputs=time_step_spec.observation,
        fits=fits,
        wanted=wanted,
    )
    if not hasattr(built, "num_atoms"):
        raise ConfigurationError(
            f"{_NAME}.network makes {type(built).__name__}, which has no num_atoms; "
            f"bind a network that gives {wanted}."
        )
    return built
