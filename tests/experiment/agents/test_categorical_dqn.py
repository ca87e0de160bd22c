"""experiment/agents/categorical_dqn.py: C51, or a clear refusal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.networks import sequential
from tf_agents.specs import BoundedTensorSpec, tensor_spec
from tf_agents.trajectories import StepType, trajectory
from tf_agents.trajectories import time_step as ts
from tf_agents.utils import common

from experiment import agents, networks
from experiment.errors import ConfigurationError
from experiment.seeding import seed_role

ACTION = BoundedTensorSpec([], tf.int64, 0, 1)


def c51(action: Any = ACTION, **settings: Any) -> tf_agent.TFAgent:
    """For observations as CartPole's, of a fixed seed."""
    seed_role(0, "test")
    agent = agents.categorical_dqn_agent(
        ts.time_step_spec(tf.TensorSpec([4], tf.float32)),
        action,
        tf.Variable(0, dtype=tf.int64),
        **settings,
    )
    agent.initialize()
    return agent


def steps(length: int, reward: float, discount: float) -> trajectory.Trajectory:
    """Eight windows that differ in their observations only."""
    numbers = np.random.default_rng(7)
    return trajectory.Trajectory(
        step_type=tf.fill([8, length], StepType.MID),
        observation=tf.constant(numbers.normal(size=(8, length, 4)), tf.float32),
        action=tf.zeros([8, length], tf.int64),
        policy_info=(),
        next_step_type=tf.fill([8, length], StepType.MID),
        reward=tf.fill([8, length], reward),
        discount=tf.fill([8, length], discount),
    )


@pytest.mark.parametrize(("n_step", "wanted"), [(1, 3.0), (2, 4.5)])
def test_what_it_learns_is_the_return(n_step: int, wanted: float) -> None:
    """Of an end that earns 3, and of 3 and then half as much, discounted by 0.5."""
    agent = c51(
        network=lambda *specs: networks.categorical_q_network(*specs, layers=(32,)),
        learning_rate=1e-2,
        gamma=0.5,
        n_step=n_step,
    )
    assert agent.train_sequence_length == n_step + 1
    batch = steps(n_step + 1, reward=3.0, discount=1.0)
    ends = np.ones([8, n_step + 1], np.float32)
    ends[:, n_step - 1] = 0  # Nothing follows the last reward.
    train = common.function(agent.train)
    for _ in range(200):
        train(batch._replace(discount=tf.constant(ends)))
    logits, _ = agent._q_network(batch.observation[:, 0])
    atoms = np.linspace(-10, 10, 51)
    means = tf.nn.softmax(logits[:, 0]).numpy() @ atoms
    np.testing.assert_allclose(means, wanted, atol=0.1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0),
        ("gamma", 1.01),
        ("epsilon_greedy", 1.1),
        ("target_update_period", 0),
        ("target_update_tau", 0),
        ("n_step", 0),
        ("min_q_value", math.nan),
        ("max_q_value", -10.0),
        ("gradient_clipping", 0),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, value: Any) -> None:
    """The gin parameter is named, with the value it got."""
    with pytest.raises(ConfigurationError) as raised:
        c51(**{name: value})
    assert str(raised.value).startswith(f"categorical_dqn_agent.{name} is {value!r}")


@pytest.mark.parametrize("name", ["q_network", "value_network"])
def test_a_network_without_distributions_is_refused(name: str) -> None:
    """The one of DQN, say, or one that gives a single number."""
    with pytest.raises(ConfigurationError, match="that gives logits for each of"):
        c51(network=getattr(networks, name))


def test_a_network_of_policies_is_refused() -> None:
    """What it gives has no shape, as it is a distribution."""
    with pytest.raises(ConfigurationError, match=r"gives a distribution; bind"):
        c51(network=networks.categorical_actor_network)


def test_a_recurrent_network_is_refused() -> None:
    """It would forget at every step."""

    def factory(observation: Any, action: Any) -> Any:
        network = sequential.Sequential(
            [
                tf.keras.layers.Dense(8),
                tf.keras.layers.LSTM(8, return_sequences=True, return_state=True),
                tf.keras.layers.Dense(action.maximum + 1),
                tf.keras.layers.Reshape((-1, 1)),
            ]
        )
        network.num_atoms = 1
        return network

    with pytest.raises(ConfigurationError, match="which is recurrent; bind one that"):
        c51(network=factory)


def test_continuous_actions_are_refused() -> None:
    """By the agent's own name."""
    action = tensor_spec.BoundedTensorSpec([1], tf.float32, -2, 2)
    with pytest.raises(ConfigurationError, match="categorical_dqn_agent needs one"):
        c51(action=action)
