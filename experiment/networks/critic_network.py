"""Networks that value an action of real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gin
import tensorflow as tf
from tf_agents.networks import network, sequential
from tf_agents.typing import types
from tf_agents.utils import common

from experiment.networks.deterministic_actor_network import SMALL
from experiment.networks.encoder import encoder


class CriticNetwork(sequential.Sequential):
    """A Sequential network of an observation and an action scaled to [-1, 1].

    An action beyond its bounds counts as the nearest within: TF-Agents adds TD3's noise
    to target actions and does not clip them, as the paper's code does.
    """

    def call(
        self,
        inputs: types.NestedTensor,
        step_type: types.Tensor = (),
        network_state: types.NestedTensor = (),
        **kwargs: Any,
    ) -> tuple[types.Tensor, types.NestedTensor]:
        """From observations [B, ...] and actions [B, N] to values [B], and no state."""
        del step_type  # TD3 passes it.
        observation, action = inputs
        _, action_spec = self.input_tensor_spec
        middle, half_range = common.spec_means_and_magnitudes(action_spec)
        scaled = tf.clip_by_value((action - middle) / half_range, -1.0, 1.0)
        return super().call((observation, scaled), network_state, **kwargs)


@gin.configurable
def critic_network(
    observation_spec: types.NestedTensorSpec,
    action_spec: types.BoundedTensorSpec,
    layers: Sequence[int] = (256, 256),
    conv_layers: Sequence[Sequence[int]] = (),
) -> network.Network:
    """Dense ReLU layers over observation and action, and a linear one for the value.

    Args:
      observation_spec: Any nest of vectors, discrete observations and images.
      action_spec: A vector of N numbers with bounds.
      layers: Units of each hidden layer; the default is that of SAC and of TD3's code.
      conv_layers: Filters, kernel size and stride of each convolution, for images.

    Returns:
      A network from (observations [B, ...], actions [B, N]) to values [B].

    Raises:
      ConfigurationError: A layer has no units, or an observation is of another kind.
    """
    inputs = (observation_spec, action_spec)
    last = tf.keras.layers.Dense(
        1, kernel_initializer=tf.keras.initializers.RandomUniform(-SMALL, SMALL)
    )
    hidden = encoder("critic_network", inputs, layers, conv_layers)
    return CriticNetwork(
        [*hidden, last, tf.keras.layers.Reshape(())], input_spec=inputs
    )
