"""experiment/agents/dqn.py: DQN as the preset has it, or a clear refusal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.networks import Network
from tf_agents.specs import BoundedTensorSpec, tensor_spec
from tf_agents.trajectories import StepType, trajectory
from tf_agents.trajectories import time_step as ts
from tf_agents.utils import common

from experiment import agents, environments, networks
from experiment.errors import ConfigurationError
from experiment.seeding import seed_role

ACTION = BoundedTensorSpec([], tf.int64, 0, 1)


def dqn(action: Any = ACTION, **settings: Any) -> tf_agent.TFAgent:
    """A DQN agent for observations as CartPole's, of a fixed seed."""
    seed_role(0, "test")
    agent = agents.dqn_agent(
        ts.time_step_spec(tf.TensorSpec([4], tf.float32)),
        action,
        tf.Variable(0, dtype=tf.int64),
        **settings,
    )
    agent.initialize()
    return agent


@pytest.fixture
def batch() -> trajectory.Trajectory:
    """16 transitions; two end an episode, and two lie on a border of episodes."""
    numbers = np.random.default_rng(7)
    step_type = np.full((16, 2), StepType.MID)
    step_type[:2, 1] = StepType.LAST
    step_type[2:4, 0] = StepType.LAST
    discount = np.ones((16, 2))
    discount[:2] = 0
    return trajectory.Trajectory(
        step_type=tf.constant(step_type, tf.int32),
        observation=tf.constant(numbers.normal(size=(16, 2, 4)), tf.float32),
        action=tf.constant(numbers.integers(2, size=(16, 2)), tf.int64),
        policy_info=(),
        next_step_type=tf.constant(np.full((16, 2), StepType.MID), tf.int32),
        reward=tf.constant(numbers.normal(size=(16, 2)) * 2, tf.float32),
        discount=tf.constant(discount, tf.float32),
    )


def q_values(network: Network, batch: trajectory.Trajectory) -> np.ndarray:
    """Of all observations, [T, B, actions]."""
    values, _ = network(tf.reshape(batch.observation, [-1, 4]))
    return np.moveaxis(values.numpy().reshape(16, 2, 2), 1, 0)


@pytest.mark.parametrize("double_q", [False, True])
@pytest.mark.parametrize(("loss", "gamma"), [("huber", 0.9), ("squared", 0.5)])
def test_the_loss_is_that_of_q_learning(
    batch: trajectory.Trajectory, loss: str, gamma: float, double_q: bool
) -> None:
    """By NumPy: reward + gamma * discount * target Q(s', a') against Q(s, a).

    a' is the best by the target network, or by the online one for Double DQN. No value
    follows the end of an episode, and nothing is learned across a border.
    """
    agent = dqn(loss=loss, gamma=gamma, double_q=double_q)
    for variable in agent._target_q_network.variables:
        variable.assign(-1.5 * variable)  # Another opinion than the online network's.
    online, target = (
        q_values(network, batch)
        for network in (agent._q_network, agent._target_q_network)
    )
    best = (online if double_q else target)[1].argmax(axis=1)
    assert (online[1].argmax(axis=1) != target[1].argmax(axis=1)).any()
    value = online[0][np.arange(16), batch.action[:, 0]]
    next_value = target[1][np.arange(16), best]
    goal = batch.reward[:, 0] + gamma * batch.discount[:, 0] * next_value
    error = np.abs(goal - value)
    assert error.min() < 1 < error.max()  # Both branches of the Huber loss.
    losses = {
        "squared": error**2,
        "huber": np.where(error <= 1, error**2 / 2, error - 0.5),
    }[loss]
    losses[2:4] = 0
    found = agent.train(batch).loss  # Of before the step.
    np.testing.assert_allclose(found, losses.mean(), rtol=1e-5)


def test_n_rewards_are_summed_up_before_a_q_value_stands_for_the_rest() -> None:
    """By NumPy; what comes after the end of an episode counts for nothing."""
    agent = dqn(n_step=3, gamma=0.5, loss="squared")
    assert agent.train_sequence_length == 4
    numbers = np.random.default_rng(3)
    discount = np.ones((2, 4))
    discount[1, 1] = 0  # The second window goes on in the next episode.
    reward = numbers.normal(size=(2, 4))
    observation = tf.constant(numbers.normal(size=(2, 4, 4)), tf.float32)
    steps = trajectory.Trajectory(
        step_type=tf.fill([2, 4], StepType.MID),
        observation=observation,
        action=tf.zeros([2, 4], tf.int64),
        policy_info=(),
        next_step_type=tf.fill([2, 4], StepType.MID),
        reward=tf.constant(reward, tf.float32),
        discount=tf.constant(discount, tf.float32),
    )
    value = agent._q_network(observation[:, 0])[0].numpy()[:, 0]
    rest = agent._target_q_network(observation[:, 3])[0].numpy().max(axis=1)
    goal = [
        reward[0, 0] + 0.5 * reward[0, 1] + 0.25 * reward[0, 2] + 0.125 * rest[0],
        reward[1, 0] + 0.5 * reward[1, 1],
    ]
    found = agent.train(steps).loss
    np.testing.assert_allclose(found, np.mean((goal - value) ** 2), rtol=1e-5)


def test_training_on_one_batch_learns_it(batch: trajectory.Trajectory) -> None:
    """The target network stands still, so the loss has to fall; steps are counted."""
    agent = dqn(learning_rate=3e-3, target_update_period=1_000)
    train = common.function(agent.train)
    losses = [float(train(batch).loss) for _ in range(100)]
    assert losses[-1] < losses[0] / 4
    assert agent.train_step_counter == 100


def test_the_learning_rate_is_adams(batch: trajectory.Trajectory) -> None:
    """Adam's first step is of just that size, in every weight with a gradient."""
    agent = dqn(learning_rate=0.25)
    before = agent._q_network.variables[-1].numpy()
    agent.train(batch)
    moved = np.abs(agent._q_network.variables[-1].numpy() - before)
    np.testing.assert_allclose(moved, 0.25, rtol=1e-3)


def test_the_target_network_follows_when_its_period_is_over(
    batch: trajectory.Trajectory,
) -> None:
    """And by the share of the weights that was asked for."""
    agent = dqn(target_update_period=2, target_update_tau=0.25)
    first = agent._target_q_network.variables[-1].numpy()
    agent.train(batch)
    np.testing.assert_array_equal(agent._target_q_network.variables[-1], first)
    agent.train(batch)
    online = agent._q_network.variables[-1].numpy()
    np.testing.assert_allclose(
        agent._target_q_network.variables[-1], 0.75 * first + 0.25 * online, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("epsilon", "greedy_share"), [(0.0, 1.0), (0.5, 0.75), (1.0, 0.5)]
)
def test_the_collect_policy_explores_as_often_as_it_is_told(
    epsilon: float, greedy_share: float
) -> None:
    """A random action is the greedy one half of the time."""
    agent = dqn(epsilon_greedy=epsilon)
    numbers = np.random.default_rng(2)
    step = ts.restart(tf.constant(numbers.normal(size=(4000, 4)), tf.float32), 4000)
    greedy = agent.policy.action(step).action.numpy()
    actions = agent.collect_policy.action(step).action.numpy()
    assert np.mean(greedy == actions) == pytest.approx(greedy_share, abs=0.04)


def test_a_network_of_the_user_is_built_from_the_specs() -> None:
    """Observation spec and action spec, as TensorFlow's."""
    seen = []

    def factory(observation: Any, action: Any) -> Any:
        seen.append((observation, action))
        return networks.q_network(observation, action, layers=(3,))

    agent = dqn(network=factory)
    assert seen == [(tf.TensorSpec([4], tf.float32), ACTION)]
    assert agent._q_network.variables[0].shape == [4, 3]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0),
        ("learning_rate", math.nan),
        ("learning_rate", "1e-3"),
        ("gamma", -0.01),
        ("gamma", 1.01),
        ("epsilon_greedy", -0.1),
        ("epsilon_greedy", 1.1),
        ("target_update_period", 0),
        ("target_update_period", 1.5),
        ("target_update_tau", 0),
        ("target_update_tau", 1.1),
        ("double_q", 1),
        ("double_q", "False"),
        ("loss", "hubert"),
        ("loss", ["huber"]),
        ("n_step", 0),
        ("n_step", 2.0),
        ("gradient_clipping", 0),
        ("gradient_clipping", math.inf),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, value: Any) -> None:
    """The gin parameter is named, with the value it got."""
    with pytest.raises(ConfigurationError) as raised:
        dqn(**{name: value})
    assert str(raised.value).startswith(f"dqn_agent.{name} is {value!r}")


def test_continuous_actions_are_refused() -> None:
    """Pendulum's; what they are is said in the words of its spec."""
    environment = environments.gym_environment("Pendulum-v1")
    with pytest.raises(ConfigurationError) as raised:
        dqn(action=tensor_spec.from_spec(environment.action_spec()))
    assert "dqn_agent needs one discrete action" in str(raised.value)
    assert "float32[1] in [-2.0, 2.0]" in str(raised.value)


@pytest.mark.parametrize(
    "action",
    [
        BoundedTensorSpec([], tf.int64, 1, 3),
        BoundedTensorSpec([2], tf.int64, 0, 1),
        BoundedTensorSpec([], tf.float32, 0, 1),
        tf.TensorSpec([], tf.float32),
        [ACTION, ACTION],
    ],
)
def test_anything_but_one_action_counted_from_0_is_refused(action: Any) -> None:
    """TF-Agents refuses some of these too, but not in the user's words."""
    with pytest.raises(ConfigurationError, match="one discrete action"):
        dqn(action=action)
