"""Networks that give a distribution over discrete actions."""

from __future__ import annotations

from collections.abc import Sequence

import gin
import tensorflow as tf
import tensorflow_probability as tfp
from tf_agents.networks import network
from tf_agents.typing import types

from experiment.networks.deterministic_actor_network import ActorNetwork
from experiment.networks.encoder import encoder

# Standard deviation, about, of the first logits: all actions are as likely at first.
_SMALL = 0.01


@gin.configurable
def categorical_actor_network(
    observation_spec: types.NestedTensorSpec,
    action_spec: types.BoundedTensorSpec,
    layers: Sequence[int] = (64, 64),
    conv_layers: Sequence[Sequence[int]] = (),
) -> network.Network:
    """Dense ReLU layers, and a probability for each action.

    Args:
      observation_spec: Any nest of vectors, discrete observations and images.
      action_spec: A scalar of `maximum + 1` discrete actions, counted from 0.
      layers: Units of each hidden layer.
      conv_layers: Filters, kernel size and stride of each convolution, for images.

    Returns:
      A network from observations [..., ] to distributions of actions.

    Raises:
      ConfigurationError: A layer has no units, or an observation is of another kind.
    """
    logits = tf.keras.layers.Dense(
        int(action_spec.maximum) + 1,
        kernel_initializer=tf.keras.initializers.Orthogonal(_SMALL),
    )
    distribution = tf.keras.layers.Lambda(
        lambda given: tfp.distributions.Categorical(
            logits=given, dtype=action_spec.dtype
        )
    )
    hidden = encoder("categorical_actor_network", observation_spec, layers, conv_layers)
    return ActorNetwork([*hidden, logits, distribution], input_spec=observation_spec)
