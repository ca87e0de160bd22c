"""experiment/agents/sac.py: soft actor-critic, or a clear refusal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.trajectories import time_step as ts
from tf_agents.utils import common

from experiment import agents, networks
from experiment.errors import ConfigurationError
from tests.experiment.agents import continuous
from tests.experiment.agents.continuous import a_batch, numbers_of, values


def sac(action: Any = continuous.ACTION, **settings: Any) -> tf_agent.TFAgent:
    """With small networks, of a fixed seed."""
    actor = continuous.small(networks.stochastic_actor_network)
    settings = {"actor_network": actor, **settings}
    return continuous.built(agents.sac_agent, action, **settings)


def sampled(agent: tf_agent.TFAgent, observations: tf.Tensor, seed: tf.Tensor) -> Any:
    """Actions drawn with a seed and their log-probabilities, the latter by NumPy.

    log π = Σ log N(u; mean, deviation) - log(half range · (1 - tanh² u)), equation 26
    of arXiv:1812.05905 and the change of scale.
    """
    distribution, _ = agent._actor_network(observations)
    actions = distribution.sample(seed=seed).numpy()
    normal = distribution.input_distribution
    mean, deviation = normal.mean().numpy(), normal.stddev().numpy()
    squashed = (actions.astype(np.float64) - continuous.MIDDLE) / continuous.HALF_RANGE
    u = np.arctanh(squashed)
    log_normal = -(((u - mean) / deviation) ** 2) / 2 - np.log(
        deviation * math.sqrt(2 * math.pi)
    )
    change = np.log(continuous.HALF_RANGE * (1 - squashed**2))
    return actions, (log_normal - change).sum(axis=1)


def test_the_losses_are_those_of_the_paper() -> None:
    """By NumPy: equations 5, 7 and 17 of arXiv:1812.05905.

    The lower of two values counts; the loss of alpha is that of its logarithm, as in
    the authors' code.
    """
    settings = {"initial_log_alpha": -0.5, "target_entropy": -3.0}
    agent = sac(gamma=0.9, alpha_learning_rate=0.25, **settings)
    same = sac()._draws  # Of an agent of the same seed: for critics, actor, alpha.
    critics = (agent._critic_network_1, agent._critic_network_2)
    targets = (agent._target_critic_network_1, agent._target_critic_network_2)
    continuous.disturb(*targets)
    # Deviations near 1: NumPy can undo the tanh of all actions.
    agent._actor_network.variables[-2].assign(0.2 * agent._actor_network.variables[-2])
    batch = a_batch()
    observation, following = batch.observation[:, 0], batch.observation[:, 1]
    alpha = math.exp(-0.5)
    next_actions, next_log = sampled(agent, following, same.seed())
    actions, log = sampled(agent, observation, same.seed())
    next_value = np.min([values(each, following, next_actions) for each in targets], 0)
    goal = continuous.goals(batch, 0.9, next_value - alpha * next_log)
    before = [values(each, observation, batch.action[:, 0]) for each in critics]
    critic_loss = sum(np.mean((goal - each) ** 2) for each in before) / 2
    found = agent.train(batch)
    lower = np.min([values(each, observation, actions) for each in critics], 0)
    _, last_log = sampled(agent, observation, same.seed())
    np.testing.assert_allclose(found.extra.critic_loss, critic_loss, rtol=1e-3)
    actor_loss = np.mean(alpha * log - lower)
    np.testing.assert_allclose(found.extra.actor_loss, actor_loss, rtol=1e-3)
    alpha_loss = -0.5 * np.mean(-last_log + 3.0)
    np.testing.assert_allclose(found.extra.alpha_loss, alpha_loss, rtol=1e-3)
    # Adam's first step: against the sign of the gradient, by the learning rate.
    step = -0.25 * np.sign(np.mean(-last_log + 3.0))
    assert float(agent._log_alpha) == pytest.approx(-0.5 + step, rel=1e-3)


def test_the_entropy_is_kept_at_minus_the_size_of_the_action() -> None:
    """For actions in [-1, 1]; others have more by the logarithm of half their range."""
    more = np.log(np.broadcast_to(continuous.HALF_RANGE, 2)).sum()
    assert sac()._target_entropy == pytest.approx(-2 + more)
    assert sac(target_entropy=1.5)._target_entropy == 1.5


def test_training_on_one_batch_learns_it() -> None:
    """The target networks stand still; steps are counted."""
    agent = sac(critic_learning_rate=1e-2, target_update_period=1_000, gamma=0.0)
    train = common.function(agent.train)
    losses = [float(train(a_batch()).extra.critic_loss) for _ in range(150)]
    assert losses[-1] < losses[0] / 4
    assert agent.train_step_counter == 150


def test_the_critics_are_two() -> None:
    """Of other first weights, and so of two opinions; the targets begin as they are."""
    agent = sac()
    first, second, *targets = (
        numbers_of(each.variables)
        for each in (
            agent._critic_network_1,
            agent._critic_network_2,
            agent._target_critic_network_1,
            agent._target_critic_network_2,
        )
    )
    assert np.abs(first[0] - second[0]).max() > 0.1
    for online, target in zip((first, second), targets):
        for one, other in zip(online, target):
            np.testing.assert_array_equal(one, other)


def test_the_target_critics_follow_when_their_period_is_over() -> None:
    """And by the share of the weights that was asked for."""
    agent = sac(target_update_period=2, target_update_tau=0.25)
    pairs = (
        (agent._critic_network_1, agent._target_critic_network_1),
        (agent._critic_network_2, agent._target_critic_network_2),
    )
    first = [numbers_of(target.variables) for _, target in pairs]
    agent.train(a_batch())
    for (_, target), before in zip(pairs, first):
        np.testing.assert_array_equal(target.variables[0], before[0])
    agent.train(a_batch())
    for (online, target), before in zip(pairs, first):
        wanted = 0.75 * before[0] + 0.25 * online.variables[0].numpy()
        np.testing.assert_allclose(target.variables[0], wanted, rtol=1e-5)


def test_the_collect_policy_draws_from_the_distribution() -> None:
    """In each environment of a batch for itself, and within the bounds."""
    agent = sac()
    steps = ts.restart(tf.ones([4000, 3]), 4000)
    actions = agent.collect_policy.action(steps).action.numpy()
    distribution, _ = agent._actor_network(tf.ones([1, 3]))
    wanted = distribution.sample(4000).numpy()[:, 0]
    for share in (-0.5, 0, 0.5):
        border = continuous.MIDDLE + share * continuous.HALF_RANGE
        below, wanted_below = (np.mean(each < border, 0) for each in (actions, wanted))
        np.testing.assert_allclose(below, wanted_below, atol=0.05)
    assert (np.abs(actions - continuous.MIDDLE) <= continuous.HALF_RANGE).all()


def test_the_weights_that_travel_are_the_actors() -> None:
    """The critics are of no use to those who act."""
    agent = sac()
    wanted = [variable.ref() for variable in agent._actor_network.variables]
    assert [each.ref() for each in agent.collect_policy.variables()] == wanted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("actor_learning_rate", 0),
        ("critic_learning_rate", math.nan),
        ("alpha_learning_rate", "1e-3"),
        ("gamma", 1.01),
        ("target_update_period", 0),
        ("target_update_tau", 0),
        ("initial_log_alpha", math.inf),
        ("target_entropy", "auto"),
        ("gradient_clipping", 0),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, value: Any) -> None:
    """The gin parameter is named, with the value it got."""
    with pytest.raises(ConfigurationError) as raised:
        sac(**{name: value})
    assert str(raised.value).startswith(f"sac_agent.{name} is {value!r}")


@pytest.mark.parametrize("action", continuous.OTHER_ACTIONS)
def test_other_actions_are_refused(action: Any) -> None:
    """By the agent's own name."""
    with pytest.raises(ConfigurationError, match="sac_agent needs one vector of"):
        sac(action=action)


def test_networks_that_do_not_fit_are_refused() -> None:
    """An actor without distributions, a critic of several values."""
    with pytest.raises(ConfigurationError, match=r"actor_network is @deter"):
        sac(actor_network=networks.deterministic_actor_network)
    with pytest.raises(ConfigurationError, match=r"network is @several_va"):
        sac(critic_network=several_values)


def several_values(observation: Any, action: Any) -> Any:
    """A network that is no critic."""
    return networks.deterministic_actor_network((observation, action), action)
