"""experiment/exploration.py: how much each actor explores."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.trajectories import time_step as ts

from experiment import environments, exploration
from experiment.definition import Experiment
from experiment.errors import ConfigurationError
from experiment.exploration import ladder_epsilon


@pytest.fixture(scope="module")
def agent() -> tf_agent.TFAgent:
    """A DQN agent for CartPole."""
    agent, _ = Experiment().make_agent(environments.gym_environment("CartPole-v1"))
    return agent


def test_the_agents_own_collect_policy_is_that_of_every_actor(
    agent: tf_agent.TFAgent,
) -> None:
    """It is the very policy, so weights that are pulled for it are acted with."""
    for task in range(3):
        policy = exploration.agent_collect_policy(agent, task, 3)
        assert policy is agent.collect_policy


def test_the_ladder_falls_from_the_base_as_in_ape_x() -> None:
    """Horgan et al. (2018): 0.4 for the first of N actors, 0.4^8 for the last."""
    ladder = [ladder_epsilon(task, 8, base=0.4, exponent=7) for task in range(8)]
    assert ladder == pytest.approx([0.4 ** (1 + task) for task in range(8)])
    assert ladder_epsilon(1, 3, base=0.5, exponent=4) == pytest.approx(0.5**3)


def test_a_lone_actor_takes_the_middle_of_the_ladder() -> None:
    """Neither end alone would do."""
    assert ladder_epsilon(0, 1, 0.4, 7) == pytest.approx(0.4**4.5)


def test_actors_that_join_later_start_the_ladder_again() -> None:
    """A task beyond N never explores more, or less, than the ladder has it."""
    for task in range(4):
        assert ladder_epsilon(task + 4, 4, 0.4, 7) == ladder_epsilon(task, 4, 0.4, 7)
    assert ladder_epsilon(5, 1, 0.4, 7) == ladder_epsilon(0, 1, 0.4, 7)


@pytest.mark.parametrize(
    ("base", "exponent", "name"),
    [
        (-0.1, 7, "epsilon_ladder.base"),
        (1.1, 7, "epsilon_ladder.base"),
        (math.nan, 7, "epsilon_ladder.base"),
        (0.4, -1, "epsilon_ladder.exponent"),
        (0.4, "7", "epsilon_ladder.exponent"),
    ],
)
def test_a_ladder_that_leaves_0_to_1_is_refused(
    base: float, exponent: float, name: str
) -> None:
    """The gin parameter is named."""
    with pytest.raises(ConfigurationError, match=name):
        ladder_epsilon(0, 2, base, exponent)


def test_the_ladders_policy_explores_as_often_as_it_says(
    agent: tf_agent.TFAgent,
) -> None:
    """With ε = 0.5 and two actions, three of four are greedy."""
    tf.random.set_seed(1)
    policy = exploration.epsilon_ladder(agent, 0, 2, base=0.5)
    observations = np.random.default_rng(1).normal(size=(4000, 4)).astype(np.float32)
    step = ts.restart(tf.constant(observations), batch_size=4000)
    greedy = agent.policy.action(step).action.numpy()
    share = np.mean(policy.action(step).action.numpy() == greedy)
    assert share == pytest.approx(0.75, abs=0.04)


def test_the_ladder_acts_with_the_weights_that_the_agent_collects_with(
    agent: tf_agent.TFAgent,
) -> None:
    """Those are what an actor pulls; a copy would never be renewed."""
    ladder = {id(v) for v in exploration.epsilon_ladder(agent, 0, 2).variables()}
    assert ladder
    assert ladder <= {id(v) for v in agent.collect_policy.variables()}
