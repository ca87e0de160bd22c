"""Networks, as factories `(observation_spec, action_spec) -> Network`."""

from __future__ import annotations

from collections.abc import Sequence

import gin
import tensorflow as tf
from tf_agents.networks import network, sequential
from tf_agents.typing import types

from experiment.errors import ConfigurationError, check_number


@gin.configurable
def q_network(
    observation_spec: types.NestedTensorSpec,
    action_spec: types.BoundedTensorSpec,
    layers: Sequence[int] = (100, 50),
) -> network.Network:
    """Dense ReLU layers and a linear layer with one Q-value per action.

    Layer sizes and initialisers are those of the TF-Agents DQN tutorial.

    Args:
      observation_spec: One tensor of shape [N].
      action_spec: A scalar of `maximum + 1` discrete actions, counted from 0.
      layers: Units of each hidden layer.

    Returns:
      A network from float observations [B, N] to Q-values [B, actions].

    Raises:
      ConfigurationError: A layer has no units, or the observation is no vector.
    """
    _check_layers(layers)
    if (
        not isinstance(observation_spec, tf.TypeSpec)
        or observation_spec.shape.rank != 1
    ):
        raise ConfigurationError(
            f"q_network takes one observation vector; got {observation_spec}. Bind a "
            "network that fits this environment to the agent's `network`."
        )
    hidden = [
        tf.keras.layers.Dense(
            units,
            activation="relu",
            kernel_initializer=tf.keras.initializers.VarianceScaling(
                scale=2.0, mode="fan_in", distribution="truncated_normal"
            ),
        )
        for units in layers
    ]
    q_values = tf.keras.layers.Dense(
        int(action_spec.maximum) + 1,
        kernel_initializer=tf.keras.initializers.RandomUniform(-0.03, 0.03),
        bias_initializer=tf.keras.initializers.Constant(-0.2),
    )
    return sequential.Sequential([*hidden, q_values])


def _check_layers(layers: Sequence[int]) -> None:
    """Refuses what is no list of layers with units."""
    if not isinstance(layers, (list, tuple)):
        raise ConfigurationError(
            f"q_network.layers is {layers!r}; it must be a list of whole numbers, e.g. "
            "(100, 50), or (100,) for one layer."
        )
    for units in layers:
        check_number("each of q_network.layers", units, at_least=1, integer=True)
