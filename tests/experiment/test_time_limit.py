"""experiment/time_limit.py: the limit of any environment, and windows beyond it."""

from __future__ import annotations

import numpy as np
import pytest
from tf_agents.environments import wrappers
from tf_agents.environments.random_py_environment import RandomPyEnvironment
from tf_agents.specs import array_spec

from experiment import definition
from experiment.environments import gym_environment, together
from experiment.envpool_environment import envpool_environment
from experiment.errors import ConfigurationError
from experiment.gymnasium_environment import gymnasium_environment
from experiment.time_limit import time_limit
from tests.experiment.made_presets import needs_envpool

VECTOR = array_spec.BoundedArraySpec([2], np.float32, 0.0, 1.0)
CARTPOLE = "gym_environment.name = 'CartPole-v1'\n"


def test_the_limit_of_a_gym_environment_is_known() -> None:
    """Registered, bound, or none; also of a batch, and inside of wrappers."""
    assert time_limit(gym_environment("CartPole-v1")) == 500
    assert time_limit(gym_environment("CartPole-v1", 30)) == 30
    assert time_limit(gym_environment("CartPole-v1", 0)) is None
    assert time_limit(together(lambda: gym_environment("CartPole-v1"), 2)) == 500
    wrapped = wrappers.RunStats(wrappers.TimeLimit(gym_environment("CartPole-v1"), 20))
    assert time_limit(wrapped) == 20
    assert time_limit(RandomPyEnvironment(VECTOR)) is None


def test_the_limit_of_a_gymnasium_environment_is_known() -> None:
    """It is the batch's own."""
    pytest.importorskip("gymnasium")
    assert time_limit(gymnasium_environment("CartPole-v1")) == 500


@needs_envpool
def test_the_limit_of_an_envpool_environment_is_known() -> None:
    """The same."""
    assert time_limit(envpool_environment("CartPole-v1", 30)) == 30


def made(text: str) -> None:
    """Makes the agent of an experiment."""
    experiment = definition.load_text(text)
    experiment.make_agent(experiment.environment())


@pytest.mark.parametrize(
    ("agent", "name"),
    [("dqn_agent", "DqnAgent"), ("categorical_dqn_agent", "CategoricalDqnAgent")],
)
def test_returns_over_more_steps_than_an_episode_are_refused(
    agent: str, name: str
) -> None:
    """The largest number that will do is in the message."""
    text = f"{CARTPOLE}Experiment.agent = @{agent}\n{agent}.n_step = "
    with pytest.raises(ConfigurationError) as raised:
        made(f"{text}501")
    assert str(raised.value) == (
        f"{name} trains on windows of 501 transitions, its n_step, but episodes are "
        "cut off after 500, and nothing could be learned from those; n_step must be <= "
        "500."
    )
    made(f"{text}500")
    made(f"{text}501\ngym_environment.max_episode_steps = 0")


def test_sequences_go_on_in_the_next_episode() -> None:
    """So they may be longer."""
    made(
        f"{CARTPOLE}dqn_agent.network = @recurrent_q_network\n"
        "gym_environment.max_episode_steps = 10\nReplay.sequence_length = 20\n"
        "dqn_agent.n_step = 12\n"
    )
