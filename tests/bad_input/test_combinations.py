"""Settings that are right each, but not together: refused by what a server builds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tf_agents.environments import random_py_environment
from tf_agents.specs import array_spec

from experiment import definition
from experiment.errors import ConfigurationError
from tests.bad_input.test_gin import build, refusal

CARTPOLE = "gym_environment.name = 'CartPole-v1'\n"
PENDULUM = "gym_environment.name = 'Pendulum-v1'\n"
RECURRENT = f"{CARTPOLE}dqn_agent.network = @recurrent_q_network\n"
SEQUENCES = f"{RECURRENT}Replay.sequence_length = 8\n"
PRIORITIES = "Replay.priority_exponent = 0.6\n"


def agent(name: str) -> str:
    """Binds an agent."""
    return f"Experiment.agent = @{name}_agent\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PENDULUM + agent("dqn"), "dqn_agent needs one discrete action counted from 0"),
        (
            PENDULUM + agent("categorical_dqn"),
            "agent needs one discrete action counted",
        ),
        (
            f"{SEQUENCES}gym_environment.name = 'Pendulum-v1'",
            "dqn_agent needs one discrete action counted from 0, but this environment",
        ),
        (CARTPOLE + agent("sac"), "sac_agent needs one vector of float32 actions betw"),
        (CARTPOLE + agent("td3"), "td3_agent needs one vector of float32 actions betw"),
        (CARTPOLE + agent("ddpg"), "ddpg_agent needs one vector of float32 actions be"),
        (
            f"{PENDULUM}{agent('sac')}Experiment.collect_policy = @epsilon_ladder",
            "epsilon_ladder needs one discrete action counted from 0",
        ),
        (
            f"{CARTPOLE}Replay.priority_exponent = 0.6\n"
            "Replay.transitions_per_item = 8",
            "8 transitions travel as one item, with one priority for all; leave Replay",
        ),
        (
            f"{CARTPOLE}{PRIORITIES}{agent('categorical_dqn')}",
            "does not say how wrong it was about each sample",
        ),
        (
            f"{CARTPOLE}Replay.importance_exponent = 0.5",
            "Replay.importance_exponent is 0.5, but all samples are alike without prio",
        ),
        (
            RECURRENT,
            "trains on sequences of any length, so it does not say how the rep",
        ),
        (
            f"{CARTPOLE}Replay.sequence_length = 8",
            "Replay.sequence_length is 8, but DqnAgent trains on windows of 2 steps; l",
        ),
        (
            f"{PENDULUM}{agent('td3')}Replay.sequence_length = 8",
            "Replay.sequence_length is 8, but NoisyTd3Agent trains on windows of 2 ste",
        ),
        (
            f"{CARTPOLE}Replay.sequence_length = 8\ndqn_agent.n_step = 3",
            "Replay.sequence_length is 8, but DqnAgent trains on windows of 4 steps; l",
        ),
        (
            f"{SEQUENCES}dqn_agent.n_step = 8",
            "dqn_agent.n_step is 8, but sequences of 8 steps",
        ),
        (
            f"{CARTPOLE}dqn_agent.burn_in = 2",
            "Sequential is not recurrent; leave it ou",
        ),
        (f"{SEQUENCES}dqn_agent.burn_in = 7", "it must be <= 6."),
        (
            f"{SEQUENCES}dqn_agent.burn_in = 3\nReplay.sequence_stride = 5",
            "so some would never be learned from; it must be <= 4.",
        ),
        (f"{CARTPOLE}Replay.sequence_stride = 2", "whole number >= 1 and <= 1"),
        (
            f"{CARTPOLE}dqn_agent.network = @critic_network",
            "dqn_agent.network is @critic_network, which does not fit this environment",
        ),
    ],
)
def test_what_does_not_go_together(text: str, said: str) -> None:
    """In one line, as all refusals."""
    assert said in refusal(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "dqn_agent.network = @categorical_q_network",
            "which gives float32[2, 51]; bin",
        ),
        ("dqn_agent.network = @deterministic_actor_network", "which does not fit this"),
        (
            "dqn_agent.network = @stochastic_actor_network",
            "which does not fit this env",
        ),
        (
            f"{agent('categorical_dqn')}categorical_dqn_agent.network = @q_network",
            "which gives float32[2]; bind a network that gives logits for each of 2 ac",
        ),
    ],
)
def test_a_network_of_another_kind_for_discrete_actions(text: str, said: str) -> None:
    """What was bound, what it gives, and what would do."""
    message = refusal(CARTPOLE + text)
    assert said in message
    assert message.endswith(("e.g. @q_network.", "e.g. @categorical_q_network."))


@pytest.mark.parametrize(
    ("name", "network", "said"),
    [
        (
            "sac",
            "actor_network = @deterministic_actor_network",
            "gives float32[1]; bind",
        ),
        ("sac", "actor_network = @recurrent_q_network", "which gives float32["),
        (
            "td3",
            "actor_network = @stochastic_actor_network",
            "which gives a distributi",
        ),
        (
            "td3",
            "actor_network = @q_network",
            "which gives float32[3]; bind a network t",
        ),
        (
            "td3",
            "critic_network = @q_network",
            "which does not fit this environment (V",
        ),
        (
            "ddpg",
            "actor_network = @critic_network",
            "which gives float32[]; bind a netw",
        ),
        (
            "ddpg",
            "critic_network = @deterministic_actor_network",
            "gives float32[1]; b",
        ),
    ],
)
def test_a_network_of_another_kind_for_real_numbers(
    name: str, network: str, said: str
) -> None:
    """The same for actors and critics."""
    message = refusal(f"{PENDULUM}{agent(name)}{name}_agent.{network}")
    assert message.startswith(f"{name}_agent.{network.partition(' ')[0]} ")
    assert said in message


IMAGE = array_spec.BoundedArraySpec([8, 8, 3], np.uint8, 0, 255)
VECTOR = array_spec.BoundedArraySpec([2], np.float32, 0.0, 1.0)


def seen(observation: Any, action: Any = None) -> Any:
    """Makes an environment of these specs."""
    choice = array_spec.BoundedArraySpec([], np.int64, 0, 1)

    class Made(random_py_environment.RandomPyEnvironment):
        """Is not stepped."""

        def __init__(self) -> None:
            """Samples nothing."""

        def observation_spec(self) -> Any:
            """As given."""
            return observation

        def action_spec(self) -> Any:
            """As given."""
            return action or choice

        def reward_spec(self) -> Any:
            """One number."""
            return array_spec.ArraySpec([], np.float32)

        def discount_spec(self) -> Any:
            """From 0 to 1."""
            return array_spec.BoundedArraySpec([], np.float32, 0.0, 1.0)

    return Made()


@pytest.mark.parametrize(
    ("observation", "text", "said"),
    [
        (IMAGE, "", "q_network has no convolutions, but an observation is an image of"),
        (
            {"a": VECTOR, "b": VECTOR},
            RECURRENT,
            "as observation, but this environment's is observation/a float32[2] in [0,",
        ),
        (IMAGE, RECURRENT, "but this environment's is uint8[8, 8, 3] in [0, 255]; bin"),
        (array_spec.ArraySpec([], np.str_), "", "environment's observation is of str"),
        (
            array_spec.ArraySpec([2], np.object_),
            "",
            "observation is of object; it must",
        ),
        (array_spec.ArraySpec([None], np.float32), "", "float32[None], whose shape is"),
        ((), "", "the environment's observation is (), which has no parts; it must ha"),
    ],
)
def test_an_observation_that_no_network_can_take(
    observation: Any, text: str, said: str
) -> None:
    """By the kind of it."""
    experiment = definition.load_text(text)
    with pytest.raises(ConfigurationError) as raised:
        experiment.make_agent(seen(observation))
    message = str(raised.value).splitlines()[0]
    assert said in message
    assert "0x" not in message


def test_actions_of_different_ranges_are_taken() -> None:
    """Each number is scaled to its own bounds."""
    experiment = definition.load_text(agent("td3"))
    bounds = array_spec.BoundedArraySpec([2], np.float32, [-1.0, 0.0], [1.0, 5.0])
    made, _ = experiment.make_agent(seen(VECTOR, bounds))
    assert made.action_spec.maximum.tolist() == [1.0, 5.0]


def test_convolutions_larger_than_what_is_left_of_an_image_are_refused() -> None:
    """With the first that is; before Keras tells of a negative dimension."""
    experiment = definition.load_text("q_network.conv_layers = ((4, 8, 4), (4, 4, 2))")
    small = array_spec.BoundedArraySpec([16, 20, 1], np.uint8, 0, 255)
    with pytest.raises(ConfigurationError) as raised:
        experiment.make_agent(seen(small))
    assert str(raised.value).splitlines()[0] == (
        "convolution 2 of q_network.conv_layers has a kernel of 4, but of an image of "
        "[16, 20, 1] only 3 pixels are left there; use a smaller kernel, smaller "
        "strides before it, or fewer convolutions."
    )
    large = array_spec.BoundedArraySpec([20, 20, 1], np.uint8, 0, 255)
    made, _ = experiment.make_agent(seen(large))
    assert made.policy.variables()


def test_what_goes_together_is_taken() -> None:
    """Priorities, sequences and importance."""
    build(f"{SEQUENCES}{PRIORITIES}Replay.importance_exponent = 0.5")
