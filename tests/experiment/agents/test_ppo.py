"""experiment/agents/ppo.py: advantages, targets and loss, compared with NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.policies import greedy_policy
from tf_agents.specs import BoundedTensorSpec
from tf_agents.trajectories import StepType, trajectory
from tf_agents.trajectories import time_step as ts

from experiment import networks
from experiment.agents import OnPolicyAgent, ppo_agent
from experiment.errors import ConfigurationError
from experiment.seeding import seed_role
from tests.experiment.agents.continuous import OTHER_ACTIONS

GAMMA, GAE_LAMBDA, CLIP_RANGE = 0.9, 0.8, 0.2
ENTROPY_WEIGHT, VALUE_WEIGHT = 0.03, 0.7
OBSERVATION = tf.TensorSpec([3], tf.float32)
ACTION = BoundedTensorSpec([], tf.int64, 0, 2)

FIRST, MID, LAST = (int(each) for each in (StepType.FIRST, StepType.MID, StepType.LAST))

# Windows of 5 transitions: in the midst of an episode; with a terminal state, with a
# time limit; that ends with an end, that begins with one.
STEP_TYPES = np.array(
    [
        [MID, MID, MID, MID, MID, MID],
        [MID, MID, LAST, FIRST, MID, MID],
        [MID, MID, LAST, FIRST, MID, MID],
        [FIRST, MID, MID, MID, MID, LAST],
        [LAST, FIRST, MID, LAST, FIRST, MID],
    ]
)
# What the last step of each episode was.
TERMINAL = {(1, 2)}


def ppo(action: Any = ACTION, **settings: Any) -> OnPolicyAgent:
    """An agent with small networks, of a fixed seed."""
    seed_role(0, "test")
    given = {
        "gamma": GAMMA,
        "gae_lambda": GAE_LAMBDA,
        "clip_range": CLIP_RANGE,
        "entropy_weight": ENTROPY_WEIGHT,
        "value_weight": VALUE_WEIGHT,
        "epochs": 1,
        "minibatches": 1,
        **settings,
    }
    agent = ppo_agent(
        ts.time_step_spec(OBSERVATION), action, tf.Variable(0, dtype=tf.int64), **given
    )
    agent.initialize()
    return agent


def a_batch() -> trajectory.Trajectory:
    """Windows with these step types, and made-up numbers."""
    numbers = np.random.default_rng(3)
    windows, length = STEP_TYPES.shape
    shape = (windows, length)
    following = np.concatenate([STEP_TYPES[:, 1:], np.full([windows, 1], MID)], 1)
    discount = np.ones(shape)
    for window, step in TERMINAL:
        discount[window, step - 1] = 0
    return trajectory.Trajectory(
        step_type=tf.constant(STEP_TYPES, tf.int32),
        observation=tf.constant(numbers.normal(size=(*shape, 3)), tf.float32),
        action=tf.constant(numbers.integers(0, 3, size=shape), tf.int64),
        policy_info={
            "dist_params": {
                "logits": tf.constant(numbers.normal(size=(*shape, 3)), tf.float32)
            },
            "value_prediction": tf.constant(numbers.normal(size=shape) * 3, tf.float32),
        },
        next_step_type=tf.constant(following, tf.int32),
        reward=tf.constant(numbers.normal(size=shape), tf.float32),
        discount=tf.constant(discount, tf.float32),
    )


def by_hand(batch: trajectory.Trajectory) -> tuple[np.ndarray, np.ndarray]:
    """Advantages by the sum of their definition, and which steps are transitions.

    Each is the sum of (gamma lambda)^k delta_k up to the end of its episode or window.
    """
    values = batch.policy_info["value_prediction"].numpy()
    windows, length = STEP_TYPES.shape
    advantages = np.zeros([windows, length - 1])
    for window, begin in np.ndindex(windows, length - 1):
        for step in range(begin, length - 1):
            # A value of 0 after a terminal state; after a time limit, its own.
            following = values[window, step + 1] * batch.discount[window, step]
            delta = batch.reward[window, step] + GAMMA * following
            delta -= values[window, step]
            weight = (GAMMA * GAE_LAMBDA) ** (step - begin)
            advantages[window, begin] += weight * delta
            if STEP_TYPES[window, step + 1] == LAST:
                break
    return advantages, STEP_TYPES[:, :-1] != LAST


def test_advantages_and_targets_know_time_limits_from_terminal_states() -> None:
    """And the value of the last observation, where a window ends in an episode."""
    batch = a_batch()
    wanted, is_transition = by_hand(batch)
    info = ppo().wrapped.preprocess_sequence(batch).policy_info
    advantages = info["advantage"].numpy()[:, :-1]
    np.testing.assert_allclose(advantages[is_transition], wanted[is_transition], 1e-4)
    values = batch.policy_info["value_prediction"].numpy()[:, :-1]
    targets = info["return"].numpy()[:, :-1]
    np.testing.assert_allclose(
        targets[is_transition], (wanted + values)[is_transition], 1e-4, 1e-5
    )


def test_what_lies_between_episodes_does_not_move_the_mean() -> None:
    """Advantages are normalised by all that are in a minibatch."""
    wanted, is_transition = by_hand(a_batch())
    info = ppo().wrapped.preprocess_sequence(a_batch()).policy_info
    between = info["advantage"].numpy()[:, :-1][~is_transition]
    np.testing.assert_allclose(between, wanted[is_transition].mean(), 1e-4)


def test_the_loss_is_that_of_the_paper() -> None:
    """The clipped objective, the value's squared error and the entropy."""
    agent, batch = ppo(gradient_clipping=None), a_batch()
    observation = batch.observation[:, :-1]
    distribution, _ = agent.wrapped.actor_net(observation)
    values, _ = agent.wrapped._value_net(observation)
    log = tf.nn.log_softmax(distribution.logits).numpy()
    action = batch.action.numpy()[:, :-1, np.newaxis]
    old = tf.nn.log_softmax(batch.policy_info["dist_params"]["logits"]).numpy()
    ratio = np.exp(
        np.take_along_axis(log, action, 2) - np.take_along_axis(old[:, :-1], action, 2)
    )[..., 0]
    advantages, is_transition = by_hand(batch)
    targets = advantages + batch.policy_info["value_prediction"].numpy()[:, :-1]
    advantages[~is_transition] = advantages[is_transition].mean()
    normalised = (advantages - advantages.mean()) / advantages.std()
    clipped = np.clip(ratio, 1 - CLIP_RANGE, 1 + CLIP_RANGE)
    assert (ratio != clipped)[is_transition].any()
    objective = np.minimum(ratio * normalised, clipped * normalised)
    error = (targets - values.numpy()) ** 2
    entropy = -(np.exp(log) * log).sum(-1)
    losses = VALUE_WEIGHT * error - objective - ENTROPY_WEIGHT * entropy
    wanted = (losses * is_transition).mean()
    assert float(agent.train(batch).loss) == pytest.approx(wanted, rel=1e-4)


def test_the_value_network_learns_the_returns() -> None:
    """By some calls on one batch, the error becomes a part of what it was."""
    agent = ppo(learning_rate=1e-2, epochs=20, value_weight=1.0)
    batch = a_batch()
    first = float(agent.train(batch).loss)
    for _ in range(5):
        last = float(agent.train(batch).loss)
    assert int(agent.train_step_counter) == 6 * 20
    assert last < 0.3 * first


def test_the_greedy_policy_takes_the_most_likely_action() -> None:
    """The collect policy draws, and says what the learner has to know."""
    agent = ppo()
    bias = agent.wrapped.actor_net.variables[-1]
    bias.assign([0.0, 1.0, 0.5])
    steps = ts.restart(tf.zeros([500, 3]), 500)
    assert isinstance(agent.policy, greedy_policy.GreedyPolicy)
    np.testing.assert_array_equal(agent.policy.action(steps).action, np.ones(500))
    step = agent.collect_policy.action(steps)
    share = np.bincount(step.action.numpy(), minlength=3) / 500
    wanted = np.exp([0.0, 1.0, 0.5]) / np.exp([0.0, 1.0, 0.5]).sum()
    np.testing.assert_allclose(share, wanted, atol=0.08)
    logits = step.info["dist_params"]["logits"]
    np.testing.assert_allclose(logits[0], [0.0, 1.0, 0.5], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0),
        ("gamma", 1.01),
        ("gae_lambda", -0.1),
        ("clip_range", 0),
        ("epochs", 0),
        ("minibatches", 1.5),
        ("entropy_weight", -1),
        ("value_weight", math.nan),
        ("gradient_clipping", 0),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, value: Any) -> None:
    """The gin parameter is named, with the value it got."""
    with pytest.raises(ConfigurationError) as raised:
        ppo(**{name: value})
    assert str(raised.value).startswith(f"ppo_agent.{name} is {value!r}")


@pytest.mark.parametrize("action", OTHER_ACTIONS[1:3])
def test_other_actions_are_refused(action: Any) -> None:
    """By the agent's own name."""
    with pytest.raises(ConfigurationError, match="ppo_agent needs one discrete action"):
        ppo(action=action)


def test_networks_that_do_not_fit_are_refused() -> None:
    """Values instead of distributions, and distributions instead of values."""
    with pytest.raises(ConfigurationError, match=r"ppo_agent.actor_network is @"):
        ppo(actor_network=networks.value_network)
    with pytest.raises(ConfigurationError, match=r"ppo_agent.value_network is @"):
        ppo(value_network=networks.categorical_actor_network)


@pytest.mark.parametrize("count", [2, 4])
def test_a_distribution_of_too_few_or_too_many_actions_is_refused(count: int) -> None:
    """TF-Agents would clip those that there are not to the last one."""

    def other_count(observation: Any, action: Any) -> Any:
        other = BoundedTensorSpec([], action.dtype, 0, count - 1)
        return networks.categorical_actor_network(observation, other)

    with pytest.raises(ConfigurationError, match=r"a distribution of 3 actions"):
        ppo(actor_network=other_count)


def test_what_the_optimizer_gathers_has_the_same_order_in_all_processes() -> None:
    """Keras numbers layers on and on, and TF-Agents sorts them by name: 10 before 9."""
    gathered = []
    for _ in range(8):
        optimizer = ppo().wrapped._optimizer
        gathered.append([tuple(each.shape) for each in optimizer.variables])
    assert len(gathered[0]) > 10
    assert all(shapes == gathered[0] for shapes in gathered)
