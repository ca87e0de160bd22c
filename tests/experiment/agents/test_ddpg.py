"""experiment/agents/ddpg.py: deep deterministic policy gradient, or a clear refusal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from experiment import agents, environments, networks
from experiment.errors import ConfigurationError
from tests.experiment.agents import continuous
from tests.experiment.agents.continuous import a_batch, numbers_of, values


def ddpg(action: Any = continuous.ACTION, **settings: Any) -> tf_agent.TFAgent:
    """With small networks, of a fixed seed."""
    actor = continuous.small(networks.deterministic_actor_network)
    settings = {"actor_network": actor, **settings}
    return continuous.built(agents.ddpg_agent, action, **settings)


@pytest.mark.parametrize("gamma", [0.9, 0.0])
def test_the_critics_loss_is_that_of_the_paper(gamma: float) -> None:
    """By NumPy: algorithm 1 of arXiv:1509.02971."""
    agent = ddpg(gamma=gamma)
    target = agent._target_critic_network
    continuous.disturb(target, agent._target_actor_network)
    batch = a_batch()
    observation, following = batch.observation[:, 0], batch.observation[:, 1]
    next_action, _ = agent._target_actor_network(following)
    goal = continuous.goals(batch, gamma, values(target, following, next_action))
    value = values(agent._critic_network, observation, batch.action[:, 0])
    found = agent.train(batch).extra.critic_loss
    np.testing.assert_allclose(found, np.mean((goal - value) ** 2), rtol=1e-5)


def test_the_actor_goes_up_the_critic() -> None:
    """By the gradient of its value; Adam's first step has the size of the rate."""
    agent = ddpg(actor_learning_rate=0.01)
    continuous.disturb(agent._critic_network)
    before = numbers_of(agent._actor_network.variables)
    agent.train(a_batch())
    continuous.require_climb(agent, agent._critic_network, before, rate=0.01)


def test_gradients_are_clipped() -> None:
    """Adam adds up the gradients it gets: a tenth of them at the first step."""
    agent = ddpg(gradient_clipping=1e-3)
    agent.train(a_batch())
    momenta = agent._critic_optimizer._momentums
    norms = [10 * np.linalg.norm(momentum) for momentum in momenta]
    assert max(norms) == pytest.approx(1e-3, rel=1e-3)


def test_both_target_networks_follow_when_their_period_is_over() -> None:
    """And by the share of the weights that was asked for."""
    agent = ddpg(target_update_period=2, target_update_tau=0.25)
    pairs = (
        (agent._actor_network, agent._target_actor_network),
        (agent._critic_network, agent._target_critic_network),
    )
    continuous.require_following(agent, pairs, period=2, tau=0.25)


def test_training_on_one_batch_learns_it() -> None:
    """The target networks stand still; steps are counted."""
    agent = ddpg(critic_learning_rate=1e-2, target_update_period=1_000)
    continuous.require_learning(agent)


def test_exploration_is_a_process_around_the_greedy_action() -> None:
    """Of the deviation and the damping that were asked for."""
    agent = ddpg(ou_stddev=0.1, ou_damping=0.5)
    policy = agent.collect_policy
    steps = ts.restart(tf.ones([4000, 3]), 4000)
    greedy = agent.policy.action(steps).action.numpy()
    first = policy.action(steps, policy.get_initial_state(4000))
    steps = steps._replace(step_type=tf.ones([4000], tf.int32))
    second = policy.action(steps, first.state)
    one, two = (each.action.numpy() - greedy for each in (first, second))
    np.testing.assert_allclose(one.std(axis=0), 0.1 * continuous.HALF_RANGE, rtol=0.1)
    fresh = two - 0.5 * one
    np.testing.assert_allclose(fresh.std(axis=0), 0.1 * continuous.HALF_RANGE, rtol=0.1)
    assert abs(np.corrcoef(fresh[:, 0], one[:, 0])[0, 1]) < 0.1


def test_the_weights_that_travel_are_the_actors() -> None:
    """Neither the critic, nor targets, nor the state of the exploration."""
    continuous.require_only_the_actor_travels(ddpg())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("actor_learning_rate", 0),
        ("critic_learning_rate", "1e-3"),
        ("gamma", 1.01),
        ("target_update_period", 0),
        ("target_update_tau", 0),
        ("ou_stddev", -0.1),
        ("ou_damping", 1.1),
        ("ou_damping", math.nan),
        ("gradient_clipping", 0),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, value: Any) -> None:
    """The gin parameter is named, with the value it got."""
    with pytest.raises(ConfigurationError) as raised:
        ddpg(**{name: value})
    assert str(raised.value).startswith(f"ddpg_agent.{name} is {value!r}")


@pytest.mark.parametrize("action", continuous.OTHER_ACTIONS)
def test_other_actions_are_refused(action: Any) -> None:
    """By the agent's own name."""
    with pytest.raises(ConfigurationError, match="ddpg_agent needs one vector of"):
        ddpg(action=action)


def test_cartpole_is_refused_in_the_words_of_its_spec() -> None:
    """Two discrete actions."""
    action = environments.gym_environment("CartPole-v1").action_spec()
    with pytest.raises(ConfigurationError, match=r"actions are int64\[\] in \[0, 1\]"):
        ddpg(action=tensor_spec.from_spec(action))


def test_a_factory_that_is_none_is_refused() -> None:
    """Before anything is built."""
    with pytest.raises(ConfigurationError, match=r"ddpg_agent\.critic_network is 3"):
        ddpg(critic_network=3)
