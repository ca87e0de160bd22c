"""experiment/networks/value_network.py: one value for an observation."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import BoundedTensorSpec

from experiment import networks
from experiment.errors import ConfigurationError

OBSERVATION = tf.TensorSpec([3], tf.float32)
ACTION = BoundedTensorSpec([], tf.int64, 0, 3)


def test_a_value_is_linear_in_the_last_units() -> None:
    """By NumPy; for batches of any rank."""
    built = networks.value_network(OBSERVATION, ACTION, layers=(8,))
    built.create_variables()
    kernel, bias, last, last_bias = (each.numpy() for each in built.variables)
    numbers = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    values, _ = built(numbers)
    wanted = np.maximum(numbers @ kernel + bias, 0) @ last + last_bias
    np.testing.assert_allclose(values, wanted[..., 0], rtol=1e-4, atol=1e-6)


def test_layers_without_units_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"value_network\.layers"):
        networks.value_network(OBSERVATION, ACTION, layers=(0,))
