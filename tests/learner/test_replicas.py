"""learner/replicas.py: what a learner on two devices learns, and what is refused.

The devices are two parts of the processor; no GPU is here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiment import definition
from experiment.errors import ConfigurationError
from learner import replicas
from tests.learner.test_compiled_agent import CARTPOLE, PENDULUM, agent_of_seed

ROOT = Path(__file__).parents[2]
PPO = """
gym_environment.name = 'CartPole-v1'
Experiment.agent = @ppo_agent
"""


@pytest.fixture(scope="module")
def found() -> Any:
    """What `two_devices.py` found: it takes half a minute of computing."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.learner.two_devices"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=450,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.parametrize(("agent", "most"), [("dqn", 1e-6), ("c51", 1e-5)])
def test_a_step_is_that_of_one_device_on_the_whole_batch(
    found: Any, agent: str, most: float
) -> None:
    """The gradient too, by what Adam has gathered: its steps hardly depend on it."""
    assert found[agent]["weights"] < most
    assert found[agent]["gradients"] < most


def test_sac_differs_by_the_numbers_it_draws_only(found: Any) -> None:
    """They are nearly the same here, but for the entropy's."""
    assert found["sac"]["weights"] < 1e-3
    assert found["sac"]["gradients"] < 0.3  # Half or twice the gradient is 0.5 or 1.


def test_a_learner_with_prioritized_replay_does_all_that_one_does(found: Any) -> None:
    """Weights, figures, policies; the script waits for priorities of all samples."""
    run = found["prioritized"]
    assert run["devices"] == 2
    assert run["published"] == 0
    assert run["lag"] == 3.5  # The mean of 0 to 7.
    assert 0 < run["loss"] < 10
    assert run["exported_step"] == 8
    assert run["exported_acts_alike"]


def test_a_learner_on_one_device_goes_on_from_its_checkpoint(found: Any) -> None:
    """To the last bit."""
    run = found["prioritized"]
    assert run["resumed_step"] == 8
    assert run["resumed"] == 0
    assert run["largest"][0] == run["largest"][1] > 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PENDULUM.format(name="ddpg"), "NoisyDdpgAgent cannot learn on 2 devices"),
        (PENDULUM.format(name="td3"), "cannot learn on 2 devices together: only DQN"),
        (PPO, "OnPolicyAgent cannot learn on 2 devices"),
        (f"{CARTPOLE}dqn_agent.gradient_clipping = 1.0", "gradient_clipping is set, b"),
    ],
)
def test_agents_that_would_learn_something_else_are_refused(
    text: str, said: str
) -> None:
    """On several devices only."""
    agent = agent_of_seed(1, text)
    replicas.check_agent(agent, 1)
    with pytest.raises(ConfigurationError, match=said):
        replicas.check_agent(agent, 2)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("", "Train.jit_compile is True, but XLA cannot compile .* 2 devices"),
        ("Replay.batch_size = 63", "batch_size is 63, which 2 devices cannot share"),
    ],
)
def test_settings_for_one_device_only_are_refused(setting: str, said: str) -> None:
    """Before anything is built."""
    experiment = definition.load_text(setting)
    replicas.check_settings(experiment, 1)
    with pytest.raises(ConfigurationError, match=said):
        replicas.check_settings(experiment, 2)
