"""A network of one's own: a table with one row of Q-values for each field."""

import gin
import tensorflow as tf
from tf_agents.networks import network, sequential
from tf_agents.specs import tensor_spec


@gin.configurable
def q_table(
    observation_spec: tensor_spec.BoundedTensorSpec,
    action_spec: tensor_spec.BoundedTensorSpec,
) -> network.Network:
    """Makes a network from fields [B] to Q-values [B, actions]."""
    fields = int(observation_spec.maximum) + 1
    actions = int(action_spec.maximum) + 1
    return sequential.Sequential(
        [tf.keras.layers.Embedding(fields, actions, embeddings_initializer="zeros")],
        input_spec=observation_spec,
    )
