"""What no agent can learn with, refused by the name of the gin parameter."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from tf_agents.specs import tensor_spec
from tf_agents.typing import types

from experiment.errors import ConfigurationError, check_number


def check_optimisation(
    agent: str, gamma: float, gradient_clipping: float | None
) -> None:
    """Refuses discounts and norms out of range.

    Raises:
      ConfigurationError: One of them is.
    """
    check_number(f"{agent}.gamma", gamma, at_least=0, at_most=1)
    if gradient_clipping is not None:
        check_number(f"{agent}.gradient_clipping", gradient_clipping, above=0)


def check_targets(agent: str, period: int, tau: float) -> None:
    """Refuses what no target network can be updated by.

    Raises:
      ConfigurationError: It is out of range.
    """
    check_number(f"{agent}.target_update_period", period, at_least=1, integer=True)
    check_number(f"{agent}.target_update_tau", tau, above=0, at_most=1)


def check_q_learning(
    agent: str, learning_rate: float, epsilon_greedy: float, n_step: int
) -> None:
    """Refuses rates, exploration and returns that Q-learning cannot have.

    Raises:
      ConfigurationError: One of them is out of range.
    """
    check_number(f"{agent}.learning_rate", learning_rate, above=0)
    check_number(f"{agent}.epsilon_greedy", epsilon_greedy, at_least=0, at_most=1)
    check_number(f"{agent}.n_step", n_step, at_least=1, integer=True)


def check_discrete(agent: str, action_spec: types.NestedTensorSpec) -> None:
    """Refuses any action but one discrete scalar counted from 0.

    Raises:
      ConfigurationError: The actions are others.
    """
    if (
        isinstance(action_spec, tensor_spec.BoundedTensorSpec)
        and tensor_spec.is_discrete(action_spec)
        and action_spec.shape.rank == 0
        and action_spec.minimum == 0
    ):
        return
    raise ConfigurationError(
        f"{agent} needs one discrete action counted from 0, but this environment's "
        f"actions are {_nest(action_spec)}{describe(action_spec)}; choose another "
        "agent or another environment."
    )


def count_actions(action_spec: types.BoundedTensorSpec) -> int:
    """How many discrete actions there are, of those that `check_discrete` lets pass."""
    return int(action_spec.maximum) + 1


def check_continuous(agent: str, action_spec: types.NestedTensorSpec) -> None:
    """Refuses any action but one vector of float32 with bounds.

    Raises:
      ConfigurationError: The actions are others.
    """
    if (
        isinstance(action_spec, tensor_spec.BoundedTensorSpec)
        and action_spec.dtype == tf.float32
        and action_spec.shape.rank == 1
        and _has_range(action_spec)
    ):
        return
    raise ConfigurationError(
        f"{agent} needs one vector of float32 actions between finite bounds, but this "
        f"environment's actions are {_nest(action_spec)}{describe(action_spec)}; "
        "choose another agent or another environment."
    )


def _has_range(spec: tensor_spec.BoundedTensorSpec) -> bool:
    """Whether each number has a smallest and a largest value, and some between."""
    # Gym's bounds of what has none are the largest of float32, or infinite.
    with np.errstate(over="ignore"):
        ranges = np.subtract(spec.maximum, spec.minimum, dtype=np.float32)
    return bool(np.all(np.isfinite(ranges) & (ranges > 0)))


def _nest(action_spec: types.NestedTensorSpec) -> str:
    """Begins a list of several specs, or of one that is in a nest."""
    return "" if isinstance(action_spec, tf.TypeSpec) else "a nest of "


def describe(specs: types.NestedTensorSpec) -> str:
    """Specs in words, with their bounds."""
    return ", ".join(
        f"{spec.dtype.name}{list(spec.shape)} in "
        f"[{getattr(spec, 'minimum', '-inf')}, {getattr(spec, 'maximum', 'inf')}]"
        for spec in tf.nest.flatten(specs)
    )
