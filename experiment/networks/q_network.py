"""Networks with one Q-value for each action."""

from __future__ import annotations

from collections.abc import Sequence

import gin
import tensorflow as tf
from tf_agents.networks import network, sequential
from tf_agents.typing import types

from experiment.errors import check_bool
from experiment.networks.encoder import encoder


@gin.configurable
def q_network(
    observation_spec: types.NestedTensorSpec,
    action_spec: types.BoundedTensorSpec,
    layers: Sequence[int] = (100, 50),
    conv_layers: Sequence[Sequence[int]] = (),
    dueling: bool = False,
) -> network.Network:
    """Dense ReLU layers and a linear layer with one Q-value per action.

    Layer sizes and initialisers are those of the TF-Agents DQN tutorial.

    Args:
      observation_spec: Any nest of vectors, discrete observations and images.
      action_spec: A scalar of `maximum + 1` discrete actions, counted from 0.
      layers: Units of each hidden layer.
      conv_layers: Filters, kernel size and stride of each convolution, for images.
      dueling: Whether Q-values are put together from the value of the state and the
        advantages of the actions (Wang et al., 2015, arXiv:1511.06581).

    Returns:
      A network from observations [B, ...] to Q-values [B, actions].

    Raises:
      ConfigurationError: A layer has no units, or an observation is of another kind.
    """
    check_bool("q_network.dueling", dueling)
    hidden = encoder("q_network", observation_spec, layers, conv_layers)
    actions = int(action_spec.maximum) + 1
    head = Dueling(actions) if dueling else q_values(actions)
    return sequential.Sequential([*hidden, head])


def q_values(units: int) -> tf.keras.layers.Layer:
    """A linear layer whose values start as those of the TF-Agents DQN tutorial."""
    return tf.keras.layers.Dense(
        units,
        kernel_initializer=tf.keras.initializers.RandomUniform(-0.03, 0.03),
        bias_initializer=tf.keras.initializers.Constant(-0.2),
    )


class Dueling(tf.keras.layers.Layer):
    """Q(s, a) = V(s) + A(s, a) - mean of A(s, ·), equation 9 of arXiv:1511.06581."""

    def __init__(self, actions: int) -> None:
        """Args: actions: How many there are."""
        super().__init__()
        self._value = q_values(1)
        self._advantages = q_values(actions)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """From units [B, N] to Q-values [B, actions]."""
        advantages = self._advantages(inputs)
        mean = tf.reduce_mean(advantages, axis=-1, keepdims=True)
        return self._value(inputs) + advantages - mean
