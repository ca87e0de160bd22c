"""reverb_server/replay_layout.py: what an item of the replay table is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reverb
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.agents.dqn import dqn_agent
from tf_agents.networks import sequential
from tf_agents.trajectories import trajectory

from experiment import networks
from experiment.errors import ConfigurationError
from experiment.settings import Replay
from reverb_server.replay_layout import (
    RANDOM_POLICY,
    ReplayLayout,
    Step,
    replay_layout,
    require_signature,
)
from tests.reverb_server.conftest import Built, Serve


@pytest.mark.parametrize("per_item", [1, 8])
def test_a_transition_of_dqn_is_two_steps(cartpole: Built, per_item: int) -> None:
    """Of 48 bytes: CartPole's trajectory, and the train step of the policy."""
    layout = replay_layout(cartpole.agent, Replay(transitions_per_item=per_item))
    assert layout.sequence_length == 2
    assert layout.codec.step_bytes == 6 * 4 + 4 * 4 + 8  # Action: int64.
    assert layout.signature.shape == [per_item * 2, 48]
    assert layout.signature.dtype == tf.uint8
    assert "trajectory/observation:float32(4,)" in layout.signature.name


def test_an_agent_of_many_steps_gets_longer_windows(cartpole: Built) -> None:
    """The length is what the agent trains on."""
    agent = dqn_agent.DqnAgent(
        cartpole.agent.time_step_spec,
        cartpole.agent.action_spec,
        networks.q_network(
            cartpole.agent.time_step_spec.observation, cartpole.agent.action_spec
        ),
        optimizer=None,
        n_step_update=3,
    )
    layout = replay_layout(agent, Replay())
    assert layout.sequence_length == 4
    assert layout.signature.shape == [8 * 4, 48]


@pytest.fixture
def recurrent(cartpole: Built) -> tf_agent.TFAgent:
    """A DQN agent that does not say how many steps it needs."""
    return dqn_agent.DqnAgent(
        cartpole.agent.time_step_spec,
        cartpole.agent.action_spec,
        sequential.Sequential(
            [
                tf.keras.layers.LSTM(4, return_state=True, return_sequences=True),
                tf.keras.layers.Dense(2),
            ]
        ),
        optimizer=None,
    )


def test_sequences_have_the_length_that_was_set(recurrent: tf_agent.TFAgent) -> None:
    """And begin as far apart as was set, whatever ends in between."""
    settings = Replay(sequence_length=20, sequence_stride=10, transitions_per_item=1)
    layout = replay_layout(recurrent, settings)
    assert (layout.sequence_length, layout.stride) == (20, 10)
    assert layout.spans_episodes
    assert layout.env_steps_per_item == settings.env_steps_per_item == 10


def test_an_agent_of_sequences_needs_their_length(recurrent: tf_agent.TFAgent) -> None:
    """It can train on any."""
    with pytest.raises(ConfigurationError, match=r"set Replay\.sequence_length"):
        replay_layout(recurrent, Replay())


def test_items_of_one_size_may_be_of_other_windows(cartpole: Built) -> None:
    """8 transitions, or 4 windows of 4 steps: read as the other, all would be wrong."""
    codec = replay_layout(cartpole.agent, Replay()).codec
    transitions, longer = ReplayLayout(codec, 2, 8), ReplayLayout(codec, 4, 4)
    assert transitions.signature.shape == longer.signature.shape
    with pytest.raises(ConfigurationError) as raised:
        require_signature(longer, {"steps": transitions.signature})
    assert "there windows:8x2; here windows:4x4" in str(raised.value)


def test_an_agent_of_transitions_takes_no_sequences(cartpole: Built) -> None:
    """It would refuse them at the first batch."""
    with pytest.raises(ConfigurationError, match=r"DqnAgent trains on windows of 2"):
        replay_layout(cartpole.agent, Replay(sequence_length=20))


@pytest.mark.parametrize(
    "signature",
    [
        None,
        {},
        tf.TensorSpec([16, 48], tf.uint8),
        {"step": tf.TensorSpec([16, 48], tf.uint8)},
        {"steps": tf.TensorSpec([24, 48], tf.uint8)},
        {"steps": tf.TensorSpec([16, 47], tf.uint8)},
        {"steps": tf.TensorSpec([2, 48], tf.uint8)},
        {"steps": tf.TensorSpec([16, 48], tf.int8)},
    ],
)
def test_a_table_of_another_layout_is_refused(cartpole: Built, signature: Any) -> None:
    """Before anything is written: Reverb takes whatever comes."""
    layout = replay_layout(cartpole.agent, Replay())
    with pytest.raises(ConfigurationError, match="the replay table holds") as raised:
        require_signature(layout, signature)
    assert str(layout.signature) in str(raised.value)


def test_columns_of_another_kind_are_refused_though_the_size_is_the_same(
    serve: Serve, cartpole: Built
) -> None:
    """Bytes of whole numbers would be read as others without an error."""
    layout = replay_layout(cartpole.agent, Replay())
    name = layout.signature.name.replace(
        "observation:float32(4,)", "observation:int32(4,)"
    )
    other = tf.TensorSpec(layout.signature.shape, tf.uint8, name)
    table = reverb.Table.queue("x", 1, signature={"steps": other})
    with pytest.raises(ConfigurationError) as raised:
        require_signature(layout, serve([table]).info("x").signature)
    assert (
        "(there trajectory/observation:int32(4,); "
        "here trajectory/observation:float32(4,))"
    ) in str(raised.value)


def test_the_table_of_this_layout_is_taken(serve: Serve, cartpole: Built) -> None:
    """As a server tells of it."""
    layout = replay_layout(cartpole.agent, Replay())
    table = reverb.Table.queue("x", 1, signature={"steps": layout.signature})
    require_signature(layout, serve([table]).info("x").signature)


def test_a_step_keeps_the_train_step_of_its_policy(cartpole: Built) -> None:
    """Beside the agent's own data; that of the random policy is no train step."""
    layout = replay_layout(cartpole.agent, Replay())
    steps = Step(
        trajectory.Trajectory(
            step_type=np.zeros(3, np.int32),
            observation=np.zeros((3, 4), np.float32),
            action=np.zeros(3, np.int64),
            policy_info=(),
            next_step_type=np.ones(3, np.int32),
            reward=np.ones(3, np.float32),
            discount=np.ones(3, np.float32),
        ),
        np.array([RANDOM_POLICY, 0, 2**40]),
    )
    unpacked = layout.codec.unpack_array(layout.codec.pack(steps))
    assert unpacked.policy_train_step.tolist() == [RANDOM_POLICY, 0, 2**40]
    assert RANDOM_POLICY < 0


def test_large_steps_that_would_be_stored_again_and_again_are_refused() -> None:
    """With the remedy; small ones may be."""
    spec = trajectory.Trajectory(
        *[tf.TensorSpec([], tf.int32)] * 4,
        *[tf.TensorSpec([], tf.float32)] * 2,
        tf.TensorSpec([84, 84, 1], tf.uint8),
    )

    class Frames:
        """An agent that learns from frames."""

        collect_data_spec = spec
        train_sequence_length = 2

    with pytest.raises(ConfigurationError, match="stored 2 times; set Replay") as error:
        replay_layout(Frames(), Replay())
    assert "7,088 bytes" in str(error.value)
    assert replay_layout(Frames(), Replay(transitions_per_item=1)).shares_steps
