"""Networks that give a distribution of actions of real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gin
import tensorflow as tf
from tf_agents.agents.sac import sac_agent, tanh_normal_projection_network
from tf_agents.networks import network, sequential
from tf_agents.typing import types

from experiment.networks.encoder import encoder


class TanhNormal(tanh_normal_projection_network.TanhNormalProjectionNetwork):
    """TF-Agents' projection as a layer of a Sequential network."""

    def call(
        self, inputs: types.Tensor, training: bool = False, **kwargs: Any
    ) -> tuple[Any, types.NestedTensor]:
        """From units [B, M] to a batch of B distributions of [N], and no state."""
        del kwargs  # Neither the step type nor a state.
        # A Network converts nothing, as a layer would what a mixed one gives it.
        exact = tf.cast(inputs, tf.float32)
        return super().call(exact, outer_rank=1, training=training)


@gin.configurable
def stochastic_actor_network(
    observation_spec: types.NestedTensorSpec,
    action_spec: types.BoundedTensorSpec,
    layers: Sequence[int] = (256, 256),
    conv_layers: Sequence[Sequence[int]] = (),
) -> network.Network:
    """Dense ReLU layers, and a normal distribution squashed by tanh into the bounds.

    The form of SAC (Haarnoja et al., 2018, arXiv:1801.01290, appendix C). As in its
    authors' code, the logarithm of a standard deviation is kept in [-20, 2].

    Args:
      observation_spec: Any nest of vectors, discrete observations and images.
      action_spec: A vector of N numbers with bounds.
      layers: Units of each hidden layer; the default is the paper's.
      conv_layers: Filters, kernel size and stride of each convolution, for images.

    Returns:
      A network from observations [B, ...] to a distribution of actions [B, N].

    Raises:
      ConfigurationError: A layer has no units, or an observation is of another kind.
    """
    name = "stochastic_actor_network"
    last = TanhNormal(action_spec, std_transform=sac_agent.std_clip_transform)
    return sequential.Sequential(
        [*encoder(name, observation_spec, layers, conv_layers), last],
        input_spec=observation_spec,
    )
