"""experiment/networks/deterministic_actor_network.py: an action within its bounds."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import BoundedTensorSpec, tensor_spec

from experiment import networks
from experiment.errors import ConfigurationError
from experiment.seeding import seed_role

OBSERVATION = tf.TensorSpec([3], tf.float32)
ACTION = BoundedTensorSpec([2], tf.float32, [-2.0, 1.0], [2.0, 3.0])


def test_the_action_is_that_of_relu_layers_and_a_scaled_tanh() -> None:
    """Against NumPy, also far from where it begins."""
    seed_role(0, "test")
    actor = networks.deterministic_actor_network(OBSERVATION, ACTION, layers=(8, 4))
    actor.create_variables()
    actor.variables[-2].assign(300 * actor.variables[-2])
    weights = [variable.numpy() for variable in actor.variables]
    units = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    actions, _ = actor(units)
    for kernel, bias in (weights[0:2], weights[2:4]):
        units = np.maximum(units @ kernel + bias, 0)
    wanted = [0, 2] + np.array([2, 1]) * np.tanh(units @ weights[4] + weights[5])
    assert np.ptp(actions) > 1
    np.testing.assert_allclose(actions, wanted, rtol=1e-4, atol=1e-6)


def test_first_actions_are_in_the_middle() -> None:
    """Where tanh has a gradient, as in arXiv:1509.02971."""
    actor = networks.deterministic_actor_network(OBSERVATION, ACTION)
    actions, _ = actor(tf.random.stateless_normal([50, 3], (1, 2)))
    np.testing.assert_allclose(actions, np.tile([0, 2], (50, 1)), atol=0.3)


def test_nests_and_images_are_taken() -> None:
    """And the step type, as TD3 passes it."""
    observation = {"image": tf.TensorSpec([8, 8, 3], tf.uint8), "at": OBSERVATION}
    actor = networks.deterministic_actor_network(
        observation, ACTION, (5,), conv_layers=((4, 3, 2),)
    )
    batch = tensor_spec.sample_spec_nest(observation, 1, outer_dims=(6,))
    actions, _ = actor(batch, tf.zeros([6], tf.int32))
    assert actions.shape == [6, 2]


def test_layers_that_are_no_list_are_refused() -> None:
    """By their gin name."""
    with pytest.raises(
        ConfigurationError, match=r"deterministic_actor_network\.layers is 3"
    ):
        networks.deterministic_actor_network(OBSERVATION, ACTION, layers=3)
