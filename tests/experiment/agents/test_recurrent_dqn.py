"""experiment/agents/recurrent_dqn.py: sequences are read into, then learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.specs import BoundedTensorSpec
from tf_agents.trajectories import StepType, trajectory
from tf_agents.trajectories import time_step as ts
from tf_agents.utils import common

from experiment import agents
from experiment.errors import ConfigurationError
from experiment.networks import q_network, recurrent_q_network
from experiment.seeding import seed_role
from experiment.settings import Replay
from reverb_server.replay_layout import replay_layout

ACTION = BoundedTensorSpec([], tf.int64, 0, 1)
LENGTH = 6


def small(*specs: Any) -> Any:
    """A small network."""
    return recurrent_q_network(*specs, layers=(8,), lstm_size=8, output_layers=())


def recurrent(**settings: Any) -> tf_agent.TFAgent:
    """A recurrent agent for observations of two numbers, of a fixed seed."""
    seed_role(0, "test")
    agent = agents.dqn_agent(
        ts.time_step_spec(tf.TensorSpec([2], tf.float32)),
        ACTION,
        tf.Variable(0, dtype=tf.int64),
        **{"network": small, "loss": "squared", "gamma": 0.5, **settings},
    )
    agent.initialize()
    return agent


@pytest.fixture
def sequences() -> trajectory.Trajectory:
    """Four sequences; in the last of them an episode ends and another begins."""
    numbers = np.random.default_rng(7)
    step_type = np.full((4, LENGTH), StepType.MID)
    step_type[3, 3] = StepType.LAST
    step_type[3, 4] = StepType.FIRST
    discount = np.ones((4, LENGTH))
    discount[3, 2] = 0
    following = np.concatenate([step_type[:, 1:], np.ones((4, 1))], axis=1)
    return trajectory.Trajectory(
        step_type=tf.constant(step_type, tf.int32),
        observation=tf.constant(numbers.normal(size=(4, LENGTH, 2)), tf.float32),
        action=tf.constant(numbers.integers(2, size=(4, LENGTH)), tf.int64),
        policy_info=(),
        next_step_type=tf.constant(following, tf.int32),
        reward=tf.constant(numbers.normal(size=(4, LENGTH)), tf.float32),
        discount=tf.constant(discount, tf.float32),
    )


def unrolled(network: Any, steps: trajectory.Trajectory, begin: int) -> np.ndarray:
    """Q-values [B, T - 1, actions], one step after another from a state of zeros."""
    state = network.get_initial_state(batch_size=4)
    values = []
    for time in range(begin, begin + LENGTH - 1):
        found, state = network(
            steps.observation[:, time],
            step_type=steps.step_type[:, time],
            network_state=state,
        )
        values.append(found.numpy())
    return np.stack(values, axis=1)


@pytest.mark.parametrize("double_q", [False, True])
@pytest.mark.parametrize("burn_in", [0, 2])
def test_the_loss_is_that_of_the_steps_after_the_burn_in(
    sequences: trajectory.Trajectory, burn_in: int, double_q: bool
) -> None:
    """By NumPy, with the state carried by hand; nothing is learned across a border."""
    agent = recurrent(burn_in=burn_in, double_q=double_q)
    for variable in agent._target_q_network.variables:
        variable.assign(-1.5 * variable)
    online, target = agent._q_network, agent._target_q_network
    taken = np.take_along_axis(
        unrolled(online, sequences, 0), sequences.action.numpy()[:, :-1, None], axis=2
    )[..., 0]
    values = unrolled(target, sequences, 1)
    chosen = unrolled(online, sequences, 1) if double_q else values
    best = np.take_along_axis(values, chosen.argmax(axis=2)[..., None], axis=2)[..., 0]
    goal = sequences.reward[:, :-1] + 0.5 * sequences.discount[:, :-1] * best
    error = np.array(goal - taken)
    error[3, 3] = 0
    wanted = (error[:, burn_in:] ** 2).mean(axis=1).mean()
    found = agent.train(sequences)
    np.testing.assert_allclose(found.loss, wanted, rtol=1e-4)
    np.testing.assert_allclose(found.extra.td_error[:, :burn_in], 0)


def test_it_learns_what_only_the_past_tells() -> None:
    """The first observation says which reward the last step has."""
    agent = recurrent(learning_rate=1e-2, gamma=0.0, target_update_period=1_000)
    hints = np.array([-1.0, 1.0, 1.0, -1.0])
    observation = np.zeros((4, LENGTH, 2))
    observation[:, 0, 0] = hints
    reward = np.zeros((4, LENGTH))
    reward[:, LENGTH - 2] = hints
    steps = trajectory.Trajectory(
        step_type=tf.fill([4, LENGTH], StepType.MID),
        observation=tf.constant(observation, tf.float32),
        action=tf.zeros([4, LENGTH], tf.int64),
        policy_info=(),
        next_step_type=tf.fill([4, LENGTH], StepType.MID),
        reward=tf.constant(reward, tf.float32),
        discount=tf.ones([4, LENGTH]),
    )
    train = common.function(agent.train)
    for _ in range(300):
        train(steps)
    values = unrolled(agent._q_network, steps, 0)[:, -1, 0]
    np.testing.assert_allclose(values, hints, atol=0.2)


def test_its_policy_forgets_at_the_first_step_of_an_episode() -> None:
    """Environments of a batch are at different steps."""
    agent = recurrent()
    policy = agent.policy
    observation = tf.ones([2, 2])
    first = ts.restart(observation, 2)
    state = policy.action(first, policy.get_initial_state(2)).state
    mixed = first._replace(step_type=tf.constant([StepType.FIRST, StepType.MID]))
    states = tf.nest.flatten(policy.action(mixed, state).state)
    fresh = tf.nest.flatten(state)
    assert all(np.allclose(new[0], old[0]) for new, old in zip(states, fresh))
    assert not any(np.allclose(new[1], old[1]) for new, old in zip(states, fresh))


@pytest.mark.parametrize("burn_in", [-1, 1.5, None])
def test_a_burn_in_that_cannot_be_is_refused(burn_in: Any) -> None:
    """The gin parameter is named."""
    with pytest.raises(ConfigurationError, match=r"dqn_agent\.burn_in is"):
        recurrent(burn_in=burn_in)


def test_a_burn_in_of_all_steps_is_refused() -> None:
    """Where the length of the sequences is known."""
    settings = Replay(sequence_length=LENGTH, transitions_per_item=1)
    assert replay_layout(recurrent(burn_in=4), settings).sequence_length == LENGTH
    with pytest.raises(ConfigurationError, match=r"burn_in is 5.* must be <= 4"):
        replay_layout(recurrent(burn_in=5), settings)


def test_what_has_no_memory_has_no_burn_in() -> None:
    """It would be without effect."""
    with pytest.raises(ConfigurationError, match=r"dqn_agent\.burn_in is 2") as raised:
        recurrent(network=q_network, burn_in=2)
    assert "bind @recurrent_q_network" in str(raised.value)


def test_returns_of_n_steps_end_where_an_episode_or_the_sequence_does(
    sequences: trajectory.Trajectory,
) -> None:
    """By NumPy, reward by reward; a time limit is passed on to the value after it."""
    discount = sequences.discount.numpy()
    discount[2, 1] = 1
    step_type = sequences.step_type.numpy()
    step_type[2, 2:4] = StepType.LAST, StepType.FIRST  # Cut off, not terminal.
    sequences = sequences.replace(
        discount=tf.constant(discount),
        step_type=tf.constant(step_type),
        next_step_type=tf.concat([step_type[:, 1:], np.ones((4, 1), np.int32)], axis=1),
    )
    agent = recurrent(n_step=3, burn_in=1)
    values = unrolled(agent._target_q_network, sequences, 1).max(axis=2)
    taken = np.take_along_axis(
        unrolled(agent._q_network, sequences, 0),
        sequences.action.numpy()[:, :-1, None],
        axis=2,
    )[..., 0]
    errors = np.zeros((4, LENGTH - 1))
    for row, first in np.ndindex(errors.shape):
        goal, factor = 0.0, 1.0
        for time in range(first, min(first + 3, LENGTH - 1)):
            goal += factor * sequences.reward.numpy()[row, time]
            factor *= 0.5 * discount[row, time]
            if step_type[row, time + 1] == StepType.LAST:
                break
        is_border = step_type[row, first] == StepType.LAST
        error = goal + factor * values[row, time] - taken[row, first]
        errors[row, first] = 0 if is_border or first < 1 else error
    found = agent.train(sequences)
    np.testing.assert_allclose(found.extra.td_error, errors, rtol=1e-4, atol=1e-5)
    wanted = (errors[:, 1:] ** 2).mean(axis=1).mean()
    np.testing.assert_allclose(found.loss, wanted, rtol=1e-4)


def test_more_rewards_than_a_sequence_has_are_refused() -> None:
    """Where the length of the sequences is known."""
    settings = Replay(sequence_length=LENGTH, transitions_per_item=1)
    assert replay_layout(recurrent(n_step=5), settings).sequence_length == LENGTH
    with pytest.raises(ConfigurationError, match=r"n_step is 6.* must be <= 5"):
        replay_layout(recurrent(n_step=6), settings)


@pytest.mark.parametrize(
    "observation",
    [
        tf.TensorSpec([8, 8, 3], tf.uint8),
        [tf.TensorSpec([2])],
        tf.TensorSpec([2], tf.int64),
    ],
)
def test_an_observation_that_is_no_vector_is_refused(observation: Any) -> None:
    """The message says what to do: bind a network that fits."""
    with pytest.raises(ConfigurationError, match="one vector of real numbers"):
        recurrent_q_network(observation, ACTION)
