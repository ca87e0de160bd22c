"""Networks that choose one action of real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gin
import tensorflow as tf
from tf_agents.networks import network, sequential
from tf_agents.typing import types
from tf_agents.utils import common

from experiment.networks.encoder import encoder

# Bounds of the last layer's first weights, so that first values are near 0 (Lillicrap
# et al., 2015, arXiv:1509.02971, section 7).
SMALL = 3e-3


class ActorNetwork(sequential.Sequential):
    """A Sequential network that may be given the step type, as TD3 and PPO do."""

    def call(
        self,
        inputs: types.NestedTensor,
        step_type: types.Tensor = (),
        network_state: types.NestedTensor = (),
        **kwargs: Any,
    ) -> tuple[types.NestedTensor, types.NestedTensor]:
        """From observations [B, ...] to what the last layer gives, and no state."""
        del step_type
        return super().call(inputs, network_state, **kwargs)


@gin.configurable
def deterministic_actor_network(
    observation_spec: types.NestedTensorSpec,
    action_spec: types.BoundedTensorSpec,
    layers: Sequence[int] = (256, 256),
    conv_layers: Sequence[Sequence[int]] = (),
) -> network.Network:
    """Dense ReLU layers, and a tanh layer that is scaled to the bounds of the action.

    Args:
      observation_spec: Any nest of vectors, discrete observations and images.
      action_spec: A vector of N numbers with bounds.
      layers: Units of each hidden layer; the default is that of SAC and of TD3's code.
      conv_layers: Filters, kernel size and stride of each convolution, for images.

    Returns:
      A network from observations [B, ...] to actions [B, N].

    Raises:
      ConfigurationError: A layer has no units, or an observation is of another kind.
    """
    name = "deterministic_actor_network"
    last = tf.keras.layers.Dense(
        action_spec.shape[0],
        activation="tanh",
        kernel_initializer=tf.keras.initializers.RandomUniform(-SMALL, SMALL),
    )
    to_bounds = tf.keras.layers.Lambda(
        lambda action: common.scale_to_spec(action, action_spec)
    )
    return ActorNetwork(
        [*encoder(name, observation_spec, layers, conv_layers), last, to_bounds],
        input_spec=observation_spec,
    )
