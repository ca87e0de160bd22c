"""experiment/networks/stochastic_actor_network.py: a distribution within bounds."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.networks import network
from tf_agents.specs import BoundedTensorSpec, tensor_spec

from experiment import networks
from experiment.errors import ConfigurationError
from experiment.seeding import seed_role

OBSERVATION = tf.TensorSpec([3], tf.float32)
ACTION = BoundedTensorSpec([2], tf.float32, [-2.0, 1.0], [2.0, 3.0])


def actor(last_weights: float) -> network.Network:
    """Of one hidden layer, with this scale of the last layer's weights."""
    seed_role(0, "test")
    built = networks.stochastic_actor_network(OBSERVATION, ACTION, layers=(8,))
    built.create_variables()
    built.variables[-2].assign(last_weights * built.variables[-2])
    return built


def observations() -> np.ndarray:
    """Some."""
    numbers = np.random.default_rng(0).normal(size=(20, 3))
    return numbers.astype(np.float32)


def test_it_is_a_normal_distribution_squashed_into_the_bounds() -> None:
    """Mean and logarithm of the deviation are linear in the last units; by NumPy."""
    built = actor(last_weights=0.5)
    kernel, bias, last, last_bias = (each.numpy() for each in built.variables)
    units = np.maximum(observations() @ kernel + bias, 0)
    mean, log_deviation = np.split(units @ last + last_bias, 2, axis=1)
    distribution, _ = built(observations())
    normal = distribution.input_distribution
    np.testing.assert_allclose(normal.mean(), mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(normal.stddev(), np.exp(log_deviation), rtol=1e-4)
    wanted = [0, 2] + np.array([2, 1]) * np.tanh(mean)
    np.testing.assert_allclose(distribution.mode(), wanted, rtol=1e-4, atol=1e-5)
    samples = distribution.sample(200).numpy()
    assert (np.abs(samples - [0, 2]) <= [2, 1]).all()
    assert samples.std(axis=0).min() > 0.05


def test_deviations_stay_within_those_of_the_authors() -> None:
    """Their logarithm is in [-20, 2], or a loss of alpha could run away."""
    distribution, _ = actor(last_weights=1e3)(observations())
    deviations = distribution.input_distribution.stddev().numpy()
    assert deviations.max() == pytest.approx(np.exp(2))
    assert deviations.min() == pytest.approx(np.exp(-20))


def test_nests_and_images_are_taken() -> None:
    """As by the other networks."""
    observation = {"image": tf.TensorSpec([8, 8, 3], tf.uint8), "at": OBSERVATION}
    built = networks.stochastic_actor_network(
        observation, ACTION, (5,), conv_layers=((4, 3, 2),)
    )
    batch = tensor_spec.sample_spec_nest(observation, 1, outer_dims=(6,))
    assert built(batch)[0].sample().shape == [6, 2]


def test_an_image_needs_convolutions() -> None:
    """The message says what to bind."""
    with pytest.raises(
        ConfigurationError, match=r"bind stochastic_actor_network\.conv_layers"
    ):
        networks.stochastic_actor_network(tf.TensorSpec([8, 8, 3]), ACTION)
