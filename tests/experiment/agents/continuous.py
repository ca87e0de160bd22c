"""What the tests of SAC, TD3 and DDPG have in common."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.networks import Network
from tf_agents.specs import BoundedTensorSpec
from tf_agents.trajectories import StepType, trajectory
from tf_agents.trajectories import time_step as ts
from tf_agents.utils import common

from experiment.networks import NetworkFactory, critic_network
from experiment.seeding import seed_role

# The middle of the range of each number, and half its size.
MIDDLE, HALF_RANGE = np.array([0.0, 2.0]), np.array([2.0, 1.0])
ACTION = BoundedTensorSpec([2], tf.float32, MIDDLE - HALF_RANGE, MIDDLE + HALF_RANGE)
OBSERVATION = tf.TensorSpec([3], tf.float32)

# Specs of actions that none of these agents takes.
OTHER_ACTIONS = [
    BoundedTensorSpec([], tf.int64, 0, 1),
    BoundedTensorSpec([1], tf.int64, 0, 1),
    BoundedTensorSpec([], tf.float32, -1, 1),
    BoundedTensorSpec([2, 2], tf.float32, -1, 1),
    BoundedTensorSpec([1], tf.float64, -1, 1),
    BoundedTensorSpec([2], tf.float32, [-1, -np.inf], [1, np.inf]),
    BoundedTensorSpec([1], tf.float32, tf.float32.min, tf.float32.max),
    BoundedTensorSpec([2], tf.float32, [-1, 0], [1, 0]),
    tf.TensorSpec([1], tf.float32),
    {"torque": BoundedTensorSpec([1], tf.float32, -1, 1)},
]


def small(factory: Callable[..., Network]) -> NetworkFactory:
    """The same kind of network, with few units."""
    return lambda *specs: factory(*specs, layers=(16,))


def built(
    factory: Callable[..., tf_agent.TFAgent],
    action: Any = ACTION,
    **settings: Any,
) -> tf_agent.TFAgent:
    """An agent with small critics, of a fixed seed."""
    seed_role(0, "test")
    settings = {"critic_network": small(critic_network), **settings}
    agent = factory(
        ts.time_step_spec(OBSERVATION),
        action,
        tf.Variable(0, dtype=tf.int64),
        **settings,
    )
    agent.initialize()
    return agent


def a_batch(size: int = 16) -> trajectory.Trajectory:
    """Some transitions; two of them end an episode."""
    numbers = np.random.default_rng(7)
    discount = np.ones((size, 2))
    discount[:2] = 0
    action = MIDDLE + HALF_RANGE * numbers.uniform(-1, 1, size=(size, 2, 2))
    return trajectory.Trajectory(
        step_type=tf.fill([size, 2], StepType.MID),
        observation=tf.constant(numbers.normal(size=(size, 2, 3)), tf.float32),
        action=tf.constant(action, tf.float32),
        policy_info=(),
        next_step_type=tf.fill([size, 2], StepType.MID),
        reward=tf.constant(numbers.normal(size=(size, 2)) * 2, tf.float32),
        discount=tf.constant(discount, tf.float32),
    )


def disturb(*networks: Network) -> None:
    """Gives networks other weights than they, or those they follow, began with."""
    for each in networks:
        for number, variable in enumerate(each.variables):
            noise = tf.random.stateless_normal(variable.shape, (number, 3))
            variable.assign(variable + 0.5 * noise)


def goals(
    batch: trajectory.Trajectory, gamma: float, next_values: np.ndarray
) -> np.ndarray:
    """What a critic should give: reward + gamma · discount · value of what follows."""
    following = gamma * batch.discount[:, 0].numpy() * next_values
    return batch.reward[:, 0].numpy() + following


def values(critic: Network, observations: tf.Tensor, actions: Any) -> np.ndarray:
    """Of a critic network, [B]."""
    given, _ = critic((observations, tf.cast(actions, tf.float32)))
    return given.numpy()


def numbers_of(variables: Any) -> list[np.ndarray]:
    """Copies, which stay as they are."""
    return [variable.numpy() for variable in variables]


def require_climb(
    agent: tf_agent.TFAgent, critic: Network, before: list[np.ndarray], rate: float
) -> None:
    """Requires that the actor has gone up the values of the critic, by one Adam step.

    Adam's first step is the learning rate into the direction of each gradient's sign.

    Args:
      agent: After one gradient step on `a_batch()`.
      critic: The one that the actor believes, as it is after the step.
      before: The weights of the actor before the step.
      rate: The actor's learning rate.
    """
    actor = agent._actor_network
    moved = [now - old for now, old in zip(numbers_of(actor.variables), before)]
    for variable, old in zip(actor.variables, before):
        variable.assign(old)
    observation = a_batch().observation[:, 0]
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(critic((observation, actor(observation)[0]))[0])
    for gradient, step in zip(tape.gradient(value, actor.variables), moved):
        clear = np.abs(gradient) > 3e-3  # Below, Adam's epsilon counts.
        assert clear.any()
        np.testing.assert_allclose(
            step[clear], rate * np.sign(gradient)[clear], rtol=0.05
        )


def require_following(
    agent: tf_agent.TFAgent, pairs: Any, period: int, tau: float
) -> None:
    """Requires that target networks stand still, and then follow by a share.

    Args:
      agent: Not trained yet.
      pairs: Of networks and their target networks.
      period: Gradient steps until they follow.
      tau: Share of the weights that is copied.
    """
    first = [numbers_of(target.variables)[0] for _, target in pairs]
    for _ in range(period - 1):
        agent.train(a_batch())
    for (_, target), before in zip(pairs, first):
        np.testing.assert_array_equal(target.variables[0], before)
    agent.train(a_batch())
    for (online, target), before in zip(pairs, first):
        wanted = (1 - tau) * before + tau * online.variables[0].numpy()
        np.testing.assert_allclose(target.variables[0], wanted, rtol=1e-5, atol=1e-7)


def require_learning(agent: tf_agent.TFAgent) -> None:
    """Requires that the critic's loss on one batch falls, and steps are counted."""
    train = common.function(agent.train)
    losses = [float(train(a_batch()).extra.critic_loss) for _ in range(150)]
    assert losses[-1] < losses[0] / 4
    assert agent.train_step_counter == 150


def require_only_the_actor_travels(agent: tf_agent.TFAgent) -> None:
    """Requires that no critic, target or state is among the weights of the policies."""
    wanted = [variable.ref() for variable in agent._actor_network.variables]
    assert [each.ref() for each in agent.collect_policy.variables()] == wanted
    assert [each.ref() for each in agent.policy.variables()] == wanted
