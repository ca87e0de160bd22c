"""experiment/networks/critic_network.py: one value for an observation and an action."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.specs import BoundedTensorSpec, tensor_spec

from experiment import networks
from experiment.errors import ConfigurationError
from experiment.seeding import seed_role

OBSERVATION = tf.TensorSpec([3], tf.float32)
ACTION = BoundedTensorSpec([2], tf.float32, [-2.0, 1.0], [2.0, 3.0])


def test_the_value_is_that_of_relu_layers_over_both() -> None:
    """Against NumPy; the action is scaled to [-1, 1], and clipped."""
    seed_role(0, "test")
    critic = networks.critic_network(OBSERVATION, ACTION, layers=(8, 4))
    critic.create_variables()
    weights = [variable.numpy() for variable in critic.variables]
    numbers = np.random.default_rng(0)
    observations = numbers.normal(size=(20, 3)).astype(np.float32)
    actions = numbers.uniform([-4, 0], [4, 4], size=(20, 2)).astype(np.float32)
    scaled = np.clip((actions - [0, 2]) / [2, 1], -1, 1)
    units = np.concatenate([observations, scaled], axis=1)
    for kernel, bias in (weights[0:2], weights[2:4]):
        units = np.maximum(units @ kernel + bias, 0)
    values, _ = critic((observations, actions))
    assert values.shape == [20]
    wanted = (units @ weights[4] + weights[5])[:, 0]
    np.testing.assert_allclose(values, wanted, rtol=1e-4, atol=1e-7)


def test_first_values_are_small() -> None:
    """Those of an untrained critic are near 0, as in arXiv:1509.02971."""
    critic = networks.critic_network(OBSERVATION, ACTION)
    critic.create_variables()
    kernel, bias = critic.variables[-2:]
    assert 0.0025 < np.abs(kernel).max() <= 0.003
    assert bias.numpy() == 0


@pytest.mark.parametrize(
    "observation",
    [
        {"position": tf.TensorSpec([2], tf.float32), "speed": tf.TensorSpec([])},
        (BoundedTensorSpec([], tf.int64, 0, 3), tf.TensorSpec([2], tf.float32)),
        {"image": tf.TensorSpec([8, 8, 3], tf.uint8), "state": [tf.TensorSpec([2])]},
        tf.TensorSpec([8, 8, 3], tf.uint8),
    ],
)
def test_any_observation_goes_with_an_action(observation: Any) -> None:
    """A copy, as of a target network, has weights of its own and computes the same."""
    has_image = any(part.dtype == tf.uint8 for part in tf.nest.flatten(observation))
    convolutions = ((4, 3, 2),) if has_image else ()
    critic = networks.critic_network(observation, ACTION, (5,), convolutions)
    critic.create_variables()
    batch = tensor_spec.sample_spec_nest((observation, ACTION), 1, outer_dims=(6,))
    values, _ = critic(batch, tf.zeros([6], tf.int32))  # The step type, as TD3 does.
    assert values.shape == [6]
    copy = critic.copy(name="copy")
    copy.create_variables()
    for ours, theirs in zip(critic.variables, copy.variables):
        assert theirs is not ours
        theirs.assign(ours)
    np.testing.assert_array_equal(copy(batch)[0], values)


def test_a_layer_without_units_is_refused() -> None:
    """By its gin name."""
    with pytest.raises(ConfigurationError, match=r"critic_network\.layers is 0"):
        networks.critic_network(OBSERVATION, ACTION, layers=(0,))
