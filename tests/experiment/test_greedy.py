"""experiment/greedy.py: what an agent does when it does not explore."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.trajectories import time_step as ts

from experiment import definition
from experiment.greedy import greedy_policy

PENDULUM = """
gym_environment.name = 'Pendulum-v1'
Experiment.agent = @{name}_agent
"""


@pytest.mark.parametrize("name", ["sac", "td3", "ddpg"])
def test_it_takes_the_likeliest_action(name: str) -> None:
    """Always the same one, also of an agent whose own policy draws."""
    experiment = definition.load_text(PENDULUM.format(name=name))
    agent, _ = experiment.make_agent(experiment.environment())
    observation = tf.random.stateless_normal([50, 3], (1, 2))
    steps = ts.restart(observation, 50)
    first, second = (greedy_policy(agent).action(steps).action for _ in range(2))
    np.testing.assert_array_equal(first, second)
    likeliest, _ = agent._actor_network(observation)
    wanted = likeliest.mode() if name == "sac" else likeliest
    np.testing.assert_allclose(first, wanted, rtol=1e-6)


def test_a_policy_that_is_greedy_is_taken_as_it_is() -> None:
    """DQN's."""
    experiment = definition.load_text("gym_environment.name = 'CartPole-v1'")
    agent, _ = experiment.make_agent(experiment.environment())
    assert greedy_policy(agent) is agent.policy
