"""experiment/networks/q_network.py: the tutorial's Q-network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.networks import network
from tf_agents.specs import BoundedTensorSpec

from experiment import networks
from experiment.errors import ConfigurationError
from experiment.seeding import seed_role

OBSERVATION = tf.TensorSpec([4], tf.float32)
ACTION = BoundedTensorSpec([], tf.int64, 0, 2)


@pytest.fixture
def q_network() -> network.Network:
    """The network with its default layers, of a fixed seed."""
    seed_role(3, "test")
    built = networks.q_network(OBSERVATION, ACTION)
    built.create_variables(OBSERVATION)
    return built


def test_the_layers_are_those_of_the_tutorial(q_network: network.Network) -> None:
    """4 observations, 100 and 50 units, one value for each action."""
    shapes = [tuple(variable.shape) for variable in q_network.variables]
    assert shapes == [(4, 100), (100,), (100, 50), (50,), (50, 3), (3,)]


def test_hidden_layers_start_as_in_the_tutorial(q_network: network.Network) -> None:
    """Variance 2 / fan-in (He et al., 2015), cut off at two deviations; bias 0."""
    for kernel, bias in (q_network.variables[0:2], q_network.variables[2:4]):
        deviation = np.sqrt(2 / kernel.shape[0])
        assert np.std(kernel) == pytest.approx(deviation, rel=0.1)
        # Keras widens the normal before it cuts it off, so that the variance is kept.
        assert np.max(np.abs(kernel)) <= 2 * deviation / 0.8796
        np.testing.assert_array_equal(bias, 0)


def test_the_q_values_start_as_in_the_tutorial(q_network: network.Network) -> None:
    """Uniform within 0.03 around a bias of -0.2."""
    kernel, bias = q_network.variables[4:]
    assert 0.025 < np.max(np.abs(kernel)) <= 0.03
    assert np.min(kernel) < -0.025
    assert np.max(kernel) > 0.025
    np.testing.assert_allclose(bias, -0.2)


def test_q_values_are_computed_by_relu_layers_and_a_linear_one(
    q_network: network.Network,
) -> None:
    """Against NumPy, for a batch."""
    weights = [variable.numpy() for variable in q_network.variables]
    observations = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    hidden = np.maximum(observations @ weights[0] + weights[1], 0)
    hidden = np.maximum(hidden @ weights[2] + weights[3], 0)
    values, _ = q_network(observations)
    assert values.dtype == tf.float32
    np.testing.assert_allclose(values, hidden @ weights[4] + weights[5], rtol=1e-4)


@pytest.mark.parametrize(("layers", "kernels"), [((8,), 2), ([16, 8, 4], 4), ((), 1)])
def test_the_hidden_layers_can_be_chosen(layers: Any, kernels: int) -> None:
    """Any number of them, none included."""
    built = networks.q_network(OBSERVATION, ACTION, layers=layers)
    built.create_variables(OBSERVATION)
    units = [variable.shape[1] for variable in built.variables[::2]]
    assert units == [*layers, 3]
    assert len(units) == kernels


@pytest.mark.parametrize(
    "layers", [(0,), (100, -1), (2.5,), ("a",), (None,), 100, "100", None]
)
def test_layers_that_cannot_be_built_are_refused(layers: Any) -> None:
    """A forgotten comma, (100), makes a number of the list."""
    with pytest.raises(ConfigurationError, match=r"q_network\.layers"):
        networks.q_network(OBSERVATION, ACTION, layers=layers)


def test_a_dueling_network_adds_values_and_advantages() -> None:
    """Against NumPy: what all actions have in common is the value's."""
    built = networks.q_network(OBSERVATION, ACTION, layers=(8,), dueling=True)
    built.create_variables(OBSERVATION)
    weights = [variable.numpy() for variable in built.variables]
    assert [each.shape for each in weights[2:]] == [(8, 1), (1,), (8, 3), (3,)]
    observations = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    hidden = np.maximum(observations @ weights[0] + weights[1], 0)
    value = hidden @ weights[2] + weights[3]
    advantages = hidden @ weights[4] + weights[5]
    wanted = value + advantages - advantages.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(built(observations)[0], wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dueling", [1, "True", None])
def test_dueling_is_true_or_false(dueling: Any) -> None:
    """A preset may bind anything."""
    with pytest.raises(ConfigurationError, match=r"q_network\.dueling is"):
        networks.q_network(OBSERVATION, ACTION, dueling=dueling)


@pytest.mark.parametrize("dueling", [False, True])
def test_a_copy_shares_no_weights(dueling: bool) -> None:
    """The target network is one, and starts with the same weights."""
    built = networks.q_network(OBSERVATION, ACTION, dueling=dueling)
    built.create_variables(OBSERVATION)
    copy = built.copy(name="copy")
    copy.create_variables(OBSERVATION)
    ours = {variable.ref() for variable in built.variables}
    assert not ours & {variable.ref() for variable in copy.variables}
    assert len(copy.variables) == len(built.variables)
