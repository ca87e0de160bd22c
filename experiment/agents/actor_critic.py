"""Networks and optimizers of agents that have an actor and critics."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tf_agents.distributions import utils as distribution_utils
from tf_agents.networks import network
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment.agents.building import build_network, gives_values
from experiment.errors import check_number
from experiment.networks import NetworkFactory


def make_optimizers(
    agent: str, **learning_rates: float
) -> dict[str, tf.keras.optimizers.Optimizer]:
    """Makes an Adam for each part of an agent.

    Args:
      agent: The gin name, for messages.
      **learning_rates: By the part, e.g. `critic`: bound to `critic_learning_rate`.

    Returns:
      By TF-Agents' names, e.g. `critic_optimizer`.

    Raises:
      ConfigurationError: A rate is out of range.
    """
    for part, rate in learning_rates.items():
        check_number(f"{agent}.{part}_learning_rate", rate, above=0)
    return {
        f"{part}_optimizer": tf.keras.optimizers.Adam(rate)
        for part, rate in learning_rates.items()
    }


def make_actor(
    agent: str,
    factory: NetworkFactory,
    time_step_spec: ts.TimeStep,
    action_spec: types.BoundedTensorSpec,
    is_stochastic: bool,
) -> network.Network:
    """Makes the actor network, with its variables.

    Args:
      agent: The gin name, for messages.
      factory: Bound to the agent's `actor_network`.
      time_step_spec: Of the environment.
      action_spec: A vector with bounds.
      is_stochastic: Whether it has to give distributions of actions, not actions.

    Raises:
      ConfigurationError: The factory cannot be called, or the network gives others.
    """
    fits = gives_values(*action_spec.shape)
    wanted = "an action, e.g. @deterministic_actor_network"
    if is_stochastic:
        fits = _gives_distribution
        wanted = "a distribution of actions, e.g. @stochastic_actor_network"
    specs = (time_step_spec.observation, action_spec)
    name = f"{agent}.actor_network"
    return build_network(name, factory, specs, specs[0], fits, wanted)


def _gives_distribution(given: Any) -> bool:
    return isinstance(given, distribution_utils.DistributionSpecV2)


def _weights_of_choices(
    given: distribution_utils.DistributionSpecV2,
) -> list[tf.TensorShape]:
    """Shapes of the logits or probabilities that a distribution is made of, if any."""
    made_of = given.parameters.params
    found = (made_of.get(name) for name in ("logits", "probs"))
    return [spec.shape for spec in found if isinstance(spec, tf.TensorSpec)]


def make_critic(
    agent: str,
    factory: NetworkFactory,
    time_step_spec: ts.TimeStep,
    action_spec: types.BoundedTensorSpec,
) -> network.Network:
    """Makes a critic network, with its variables; each call makes another one.

    Args:
      agent: The gin name, for messages.
      factory: Bound to the agent's `critic_network`.
      time_step_spec: Of the environment.
      action_spec: A vector with bounds.

    Raises:
      ConfigurationError: The factory cannot be called, or the network gives no values.
    """
    specs = (time_step_spec.observation, action_spec)
    wanted = "one value of observation and action, e.g. @critic_network"
    name = f"{agent}.critic_network"
    return build_network(name, factory, specs, specs, gives_values(), wanted)


def make_policy_network(
    agent: str,
    factory: NetworkFactory,
    time_step_spec: ts.TimeStep,
    action_spec: types.BoundedTensorSpec,
) -> network.Network:
    """Makes a network that gives a distribution of discrete actions.

    Args:
      agent: The gin name, for messages.
      factory: Bound to the agent's `actor_network`.
      time_step_spec: Of the environment.
      action_spec: A scalar of discrete actions.

    Raises:
      ConfigurationError: The factory cannot be called, or the network gives others.
    """
    count = int(action_spec.maximum) + 1

    def fits(given: Any) -> bool:
        return bool(
            _gives_distribution(given)
            and given.event_shape == action_spec.shape
            and given.dtype == action_spec.dtype
            and all(shape[-1] == count for shape in _weights_of_choices(given))
        )

    specs = (time_step_spec.observation, action_spec)
    wanted = f"a distribution of {count} actions, e.g. @categorical_actor_network"
    name = f"{agent}.actor_network"
    return build_network(name, factory, specs, specs[0], fits, wanted)


def make_value(
    agent: str,
    factory: NetworkFactory,
    time_step_spec: ts.TimeStep,
    action_spec: types.BoundedTensorSpec,
) -> network.Network:
    """Makes a network that values an observation, with its variables.

    Args:
      agent: The gin name, for messages.
      factory: Bound to the agent's `value_network`.
      time_step_spec: Of the environment.
      action_spec: Of the environment.

    Raises:
      ConfigurationError: The factory cannot be called, or the network gives no values.
    """
    specs = (time_step_spec.observation, action_spec)
    wanted = "one value, e.g. @value_network"
    name = f"{agent}.value_network"
    return build_network(name, factory, specs, specs[0], gives_values(), wanted)
