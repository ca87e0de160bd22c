"""experiment/precision.py: which layers are mixed, and what stays exact."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from experiment import definition, precision
from experiment.errors import ConfigurationError

CARTPOLE = "gym_environment.name = 'CartPole-v1'\n"
RECURRENT = f"{CARTPOLE}dqn_agent.network = @recurrent_q_network\n"


def test_hidden_layers_are_mixed_and_nothing_else_is() -> None:
    """Weights and values are float32; so is all that is made afterwards."""
    experiment = definition.load_text(CARTPOLE)
    environment = experiment.environment()
    with precision.mixed():
        agent, _ = experiment.make_agent(environment)
    precision.require_mixed(agent)
    first, second, head = agent._q_network.layers
    kinds = [layer.compute_dtype for layer in (first, second, head)]
    assert kinds == ["bfloat16", "bfloat16", "float32"]
    weights = agent.collect_policy.variables()
    assert {variable.dtype for variable in weights} == {tf.float32}
    exact, _ = experiment.make_agent(environment)
    with pytest.raises(ConfigurationError, match="no layer of DqnAgent takes part"):
        precision.require_mixed(exact)
    for own, other in zip(exact.collect_policy.variables(), weights):
        own.assign(other)
    observation = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    [mixed_values, values] = [
        each._q_network(observation)[0].numpy() for each in (agent, exact)
    ]
    assert mixed_values.dtype == np.float32
    assert (mixed_values != values).any()
    np.testing.assert_allclose(mixed_values, values, atol=0.05)


def test_an_agent_with_layers_of_its_own_is_refused() -> None:
    """It would silently be as exact as before."""
    experiment = definition.load_text(RECURRENT)
    with precision.mixed():
        agent, _ = experiment.make_agent(experiment.environment())
    with pytest.raises(ConfigurationError, match="RecurrentDqnAgent takes part; set"):
        precision.require_mixed(agent)
