"""Networks with a distribution of returns for each action."""

from __future__ import annotations

from collections.abc import Sequence

import gin
import tensorflow as tf
from tf_agents.networks import network, sequential
from tf_agents.typing import types

from experiment.errors import check_number
from experiment.networks.encoder import encoder


class CategoricalQNetwork(sequential.Sequential):
    """A Sequential network that says how many atoms it has, as the agent asks."""

    @property
    def num_atoms(self) -> int:
        """Returns between which the distribution is spread."""
        return int(self.layers[-1].target_shape[-1])


@gin.configurable
def categorical_q_network(
    observation_spec: types.NestedTensorSpec,
    action_spec: types.BoundedTensorSpec,
    layers: Sequence[int] = (100, 50),
    conv_layers: Sequence[Sequence[int]] = (),
    num_atoms: int = 51,
) -> network.Network:
    """Dense ReLU layers, and the logits of a distribution of returns per action.

    Args:
      observation_spec: Any nest of vectors, discrete observations and images.
      action_spec: A scalar of `maximum + 1` discrete actions, counted from 0.
      layers: Units of each hidden layer.
      conv_layers: Filters, kernel size and stride of each convolution, for images.
      num_atoms: Returns between which a distribution is spread; 51 made C51
        (Bellemare et al., 2017, arXiv:1707.06887).

    Returns:
      A network from observations [B, ...] to logits [B, actions, atoms].

    Raises:
      ConfigurationError: A number is out of range, or an observation is of another
        kind.
    """
    name = "categorical_q_network"
    check_number(f"{name}.num_atoms", num_atoms, at_least=2, integer=True)
    actions = int(action_spec.maximum) + 1
    return CategoricalQNetwork(
        [
            *encoder(name, observation_spec, layers, conv_layers),
            tf.keras.layers.Dense(actions * num_atoms),
            tf.keras.layers.Reshape((actions, num_atoms)),
        ]
    )
