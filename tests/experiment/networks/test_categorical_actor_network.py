"""experiment/networks/categorical_actor_network.py: a probability for each action."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import BoundedTensorSpec

from experiment import networks
from experiment.errors import ConfigurationError
from experiment.seeding import seed_role

OBSERVATION = tf.TensorSpec([3], tf.float32)
ACTION = BoundedTensorSpec([], tf.int64, 0, 3)


def test_probabilities_are_a_softmax_over_dense_layers() -> None:
    """By NumPy; for batches of any rank."""
    seed_role(0, "test")
    built = networks.categorical_actor_network(OBSERVATION, ACTION, layers=(8,))
    built.create_variables()
    built.variables[-2].assign(100 * built.variables[-2])
    kernel, bias, last, last_bias = (each.numpy() for each in built.variables)
    numbers = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    distribution, _ = built(numbers)
    logits = np.maximum(numbers @ kernel + bias, 0) @ last + last_bias
    wanted = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(distribution.probs_parameter(), wanted, rtol=1e-4)
    assert wanted.std() > 0.05
    assert distribution.sample().dtype == tf.int64


def test_at_first_all_actions_are_about_as_likely() -> None:
    """So that all are tried."""
    built = networks.categorical_actor_network(OBSERVATION, ACTION)
    distribution, _ = built(tf.random.normal([100, 3]))
    np.testing.assert_allclose(distribution.probs_parameter(), 0.25, atol=0.05)


def test_layers_without_units_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"categorical_actor_network\.layers"):
        networks.categorical_actor_network(OBSERVATION, ACTION, layers=(0,))
