"""Networks that remember, for what one observation does not tell."""

from __future__ import annotations

from collections.abc import Sequence

import gin
import tensorflow as tf
from tf_agents.networks import network, q_rnn_network
from tf_agents.typing import types

from experiment.errors import ConfigurationError, check_number
from experiment.networks.encoder import check_layers
from experiment.specs import describe_nest


@gin.configurable
def recurrent_q_network(
    observation_spec: types.NestedTensorSpec,
    action_spec: types.BoundedTensorSpec,
    layers: Sequence[int] = (64,),
    lstm_size: int = 64,
    output_layers: Sequence[int] = (64,),
) -> network.Network:
    """Dense layers, an LSTM, dense layers, and one Q-value per action (TF-Agents' own).

    Its state is zero at the first step of an episode, and at that of a sequence.

    Args:
      observation_spec: One tensor of shape [N].
      action_spec: A scalar of `maximum + 1` discrete actions, counted from 0.
      layers: Units of each layer before the LSTM (Hochreiter and Schmidhuber, 1997).
      lstm_size: Units of the LSTM.
      output_layers: Units of each hidden layer after it.

    Returns:
      A network from float observations [B, N] or [B, T, N] to Q-values.

    Raises:
      ConfigurationError: A layer has no units, or the observation is no vector.
    """
    name = "recurrent_q_network"
    check_layers(f"{name}.layers", layers)
    check_layers(f"{name}.output_layers", output_layers)
    check_number(f"{name}.lstm_size", lstm_size, at_least=1, integer=True)
    if (
        not isinstance(observation_spec, tf.TypeSpec)
        or observation_spec.shape.rank != 1
        or not observation_spec.dtype.is_floating
    ):
        raise ConfigurationError(
            f"{name} takes one vector of real numbers as observation, but this "
            f"environment's is {describe_nest('observation', observation_spec)}; bind "
            "another network, or another environment."
        )
    return q_rnn_network.QRnnNetwork(
        observation_spec,
        action_spec,
        input_fc_layer_params=tuple(layers),
        lstm_size=(lstm_size,),
        output_fc_layer_params=tuple(output_layers),
    )
