"""Networks that value an observation."""

from __future__ import annotations

from collections.abc import Sequence

import gin
import tensorflow as tf
from tf_agents.networks import network
from tf_agents.typing import types

from experiment.networks.deterministic_actor_network import ActorNetwork
from experiment.networks.encoder import encoder


@gin.configurable
def value_network(
    observation_spec: types.NestedTensorSpec,
    action_spec: types.NestedTensorSpec,
    layers: Sequence[int] = (64, 64),
    conv_layers: Sequence[Sequence[int]] = (),
) -> network.Network:
    """Dense ReLU layers, and a linear one for the value.

    Args:
      observation_spec: Any nest of vectors, discrete observations and images.
      action_spec: Not used; all factories of networks take one.
      layers: Units of each hidden layer.
      conv_layers: Filters, kernel size and stride of each convolution, for images.

    Returns:
      A network from observations [B, ...] to values [B].

    Raises:
      ConfigurationError: A layer has no units, or an observation is of another kind.
    """
    del action_spec
    value = tf.keras.layers.Dense(1)
    squeeze = tf.keras.layers.Lambda(lambda given: tf.squeeze(given, -1))
    hidden = encoder("value_network", observation_spec, layers, conv_layers)
    return ActorNetwork([*hidden, value, squeeze], input_spec=observation_spec)
