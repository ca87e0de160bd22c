"""experiment/agents/td3.py: twin delayed DDPG, or a clear refusal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.agents.ddpg import actor_rnn_network
from tf_agents.trajectories import time_step as ts

from experiment import agents, networks
from experiment.errors import ConfigurationError
from tests.experiment.agents import continuous
from tests.experiment.agents.continuous import a_batch, numbers_of, values


def td3(action: Any = continuous.ACTION, **settings: Any) -> tf_agent.TFAgent:
    """With small networks, of a fixed seed."""
    actor = continuous.small(networks.deterministic_actor_network)
    settings = {"actor_network": actor, **settings}
    return continuous.built(agents.td3_agent, action, **settings)


@pytest.mark.parametrize(("noise", "clip"), [(0.0, 0.5), (0.4, 0.5), (2.0, 1.5)])
def test_the_critics_loss_is_that_of_the_paper(noise: float, clip: float) -> None:
    """By NumPy: algorithm 1 of arXiv:1802.09477, squared errors of both critics.

    Noise and its clip are shares of half the range; a target action that noise brings
    beyond its bounds counts as one at the bound.
    """
    agent = td3(gamma=0.9, target_policy_noise=noise, target_policy_noise_clip=clip)
    critics = (agent._critic_network_1, agent._critic_network_2)
    targets = (agent._target_critic_network_1, agent._target_critic_network_2)
    continuous.disturb(*targets, agent._target_actor_network)
    batch = a_batch()
    observation, following = batch.observation[:, 0], batch.observation[:, 1]
    middle, half = continuous.MIDDLE, continuous.HALF_RANGE
    same = td3()._draws  # Of an agent of the same seed.
    drawn = tf.random.stateless_normal([16, 2], same.seed()) * noise * half
    smooth = np.clip(drawn, -clip * half, clip * half)
    target_action = agent._target_actor_network(following)[0].numpy() + smooth
    next_action = np.clip(target_action, middle - half, middle + half)
    next_value = np.min([values(each, following, next_action) for each in targets], 0)
    goal = continuous.goals(batch, 0.9, next_value)
    before = [values(each, observation, batch.action[:, 0]) for each in critics]
    wanted = sum(np.mean((goal - each) ** 2) for each in before)
    found = agent.train(batch).extra.critic_loss
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_the_actor_goes_up_the_first_critic() -> None:
    """By the gradient of its value; Adam's first step has the size of the rate."""
    agent = td3(actor_learning_rate=0.01)
    continuous.disturb(agent._critic_network_1)
    before = numbers_of(agent._actor_network.variables)
    agent.train(a_batch())
    continuous.require_climb(agent, agent._critic_network_1, before, rate=0.01)


def test_the_actor_waits_for_the_critics() -> None:
    """It takes one step of two; the critics take each."""
    agent = td3()
    actors, critics = [], []
    for _ in range(4):
        agent.train(a_batch())
        actors.append(agent._actor_network.variables[0].numpy())
        critics.append(agent._critic_network_2.variables[0].numpy())
    moves = [(one != other).any() for one, other in zip(actors, actors[1:])]
    assert moves == [False, True, False]
    assert all((one != other).any() for one, other in zip(critics, critics[1:]))


def test_all_target_networks_follow_when_their_period_is_over() -> None:
    """And by the share of the weights that was asked for."""
    agent = td3(target_update_period=3, target_update_tau=0.25)
    pairs = (
        (agent._actor_network, agent._target_actor_network),
        (agent._critic_network_1, agent._target_critic_network_1),
        (agent._critic_network_2, agent._target_critic_network_2),
    )
    continuous.require_following(agent, pairs, period=3, tau=0.25)


def test_the_critics_are_two() -> None:
    """Of other first weights, and so of two opinions."""
    agent = td3()
    first, second = agent._critic_network_1, agent._critic_network_2
    assert np.abs(first.variables[0] - second.variables[0]).max() > 0.1


def test_training_on_one_batch_learns_it() -> None:
    """The target networks stand still; steps are counted."""
    agent = td3(critic_learning_rate=1e-2, target_update_period=1_000)
    continuous.require_learning(agent)


def test_exploration_is_noise_around_the_greedy_action() -> None:
    """A share of half the range, of another size in each environment of a batch."""
    agent = td3(exploration_noise=0.25)
    steps = ts.restart(tf.ones([4000, 3]), 4000)
    state = agent.collect_policy.get_initial_state(4000)
    noisy = agent.collect_policy.action(steps, state).action.numpy()
    noise = noisy - agent.policy.action(steps).action.numpy()
    np.testing.assert_allclose(
        noise.std(axis=0), 0.25 * continuous.HALF_RANGE, rtol=0.1
    )
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.05)


def test_the_weights_that_travel_are_the_actors() -> None:
    """Critics and targets are of no use to those who act."""
    continuous.require_only_the_actor_travels(td3())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("actor_learning_rate", 0),
        ("critic_learning_rate", math.nan),
        ("gamma", -0.01),
        ("actor_update_period", 0),
        ("actor_update_period", 1.5),
        ("target_update_period", 0),
        ("target_update_tau", 1.1),
        ("exploration_noise", -0.1),
        ("target_policy_noise", math.inf),
        ("target_policy_noise_clip", None),
        ("gradient_clipping", 0),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, value: Any) -> None:
    """The gin parameter is named, with the value it got."""
    with pytest.raises(ConfigurationError) as raised:
        td3(**{name: value})
    assert str(raised.value).startswith(f"td3_agent.{name} is {value!r}")


@pytest.mark.parametrize("action", continuous.OTHER_ACTIONS)
def test_other_actions_are_refused(action: Any) -> None:
    """By the agent's own name."""
    with pytest.raises(ConfigurationError, match="td3_agent needs one vector of"):
        td3(action=action)


def test_an_actor_of_distributions_is_refused() -> None:
    """The one of SAC, say."""
    with pytest.raises(ConfigurationError, match="@deterministic_actor_network"):
        td3(actor_network=networks.stochastic_actor_network)


def test_a_recurrent_actor_is_refused() -> None:
    """It would forget at every step."""

    def factory(observation: Any, action: Any) -> Any:
        return actor_rnn_network.ActorRnnNetwork(observation, action)

    with pytest.raises(ConfigurationError, match="which is recurrent"):
        td3(actor_network=factory)
