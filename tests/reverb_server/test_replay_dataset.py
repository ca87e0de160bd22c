"""reverb_server/replay_dataset.py: what was written comes out."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import reverb
import tensorflow as tf
from tf_agents.drivers import py_driver
from tf_agents.policies import random_py_policy
from tf_agents.trajectories import trajectory

from experiment import environments
from experiment.errors import ConfigurationError
from experiment.settings import Replay
from reverb_server import tables
from reverb_server.rate_limiter import STACK
from reverb_server.replay_dataset import replay_dataset
from reverb_server.replay_layout import RANDOM_POLICY, ReplayLayout, replay_layout
from reverb_server.replay_writer import ReplayWriter
from tests.reverb_server.conftest import Built, Serve, Served
from tests.reverb_server.episodes import (
    batches,
    experience,
    queue,
    rows_of,
    windows,
)
from tests.reverb_server.waiting import wait_until


def replay_table(layout: ReplayLayout) -> reverb.Table:
    """As that of a run, but free of a ratio."""
    return reverb.Table(
        tables.REPLAY,
        sampler=reverb.selectors.Uniform(),
        remover=reverb.selectors.Fifo(),
        max_size=100_000,
        rate_limiter=reverb.rate_limiters.MinSize(1),
        signature={"steps": layout.signature},
    )


@pytest.mark.parametrize("sequence_length", [2, 3])
@pytest.mark.parametrize("per_item", [1, 2, 6])
def test_batches_are_what_was_written(
    serve: Serve, cartpole: Built, per_item: int, sequence_length: int
) -> None:
    """Every window once and in order, here from a table that works so."""
    codec = replay_layout(cartpole.agent, Replay()).codec
    layout = ReplayLayout(codec, sequence_length, per_item)
    served = serve([queue(layout)])
    # More than is read: a sampler that waits for items in this process cannot be ended.
    rounds = experience([[9, 8, 9] * 9, [2, 3, 30] * 9, [29] * 9])
    writer = ReplayWriter(served.client, layout, 3, lambda: True)
    writer.policy_train_step = 17
    for steps in batches(rounds):
        writer(steps)
    found = []
    dataset = replay_dataset(served.address, layout, batch_size=6)
    for steps, info in dataset.unbatch().take(8):
        assert info.policy_train_step.numpy().tolist() == [17] * 6
        arrays = tf.nest.map_structure(lambda column: column.numpy(), steps)
        for number in range(6):
            window = tf.nest.map_structure(lambda column, n=number: column[n], arrays)
            found.append(rows_of(window))
    assert found == windows(rounds, sequence_length)[:48]


def test_shapes_are_known_before_the_first_batch(serve: Serve, cartpole: Built) -> None:
    """So the learner's graph is traced once, and only once."""
    layout = replay_layout(cartpole.agent, Replay(transitions_per_item=8))
    served = serve([replay_table(layout)])
    steps, info = replay_dataset(served.address, layout, batch_size=32).element_spec
    expected = tf.nest.map_structure(
        lambda column: tf.TensorSpec([STACK, 32, 2, *column.shape], column.dtype),
        cartpole.agent.collect_data_spec,
    )
    tf.nest.assert_same_structure(steps, expected)
    for one, other in zip(tf.nest.flatten(steps), tf.nest.flatten(expected)):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
    assert info.policy_train_step == tf.TensorSpec([STACK, 32], tf.int64)


@pytest.fixture
def collected(serve: Serve, cartpole: Built) -> tuple[Served, ReplayLayout, np.ndarray]:
    """A table with CartPole's transitions; and these, as [observation, next one]."""
    layout = replay_layout(cartpole.agent, Replay(batch_size=32))
    served = serve([replay_table(layout)])
    environment = environments.batched(
        functools.partial(environments.gym_environment, "CartPole-v1"),
        3,
        np.random.SeedSequence(1),
    )
    policy = random_py_policy.RandomPyPolicy(
        environment.time_step_spec(), environment.action_spec(), seed=1
    )
    writer = ReplayWriter(served.client, layout, 3, lambda: True)
    writer.policy_train_step = RANDOM_POLICY
    seen: list[trajectory.Trajectory] = []
    driver = py_driver.PyDriver(
        environment, policy, [writer, seen.append], max_steps=600
    )
    driver.run(environment.reset())
    pairs = [
        np.concatenate([now.observation[env], then.observation[env]])
        for now, then in zip(seen, seen[1:])
        for env in range(3)
        if not now.is_boundary()[env]
    ]
    assert writer.transitions == len(pairs) // 8 * 8
    return served, layout, np.array(pairs)


def test_transitions_of_a_real_environment_are_learned_from(
    collected: tuple[Served, ReplayLayout, np.ndarray], cartpole: Built
) -> None:
    """All of them are sampled, nothing else is, and DQN takes the batches."""
    served, layout, pairs = collected
    items = len(pairs) // 8
    wait_until(lambda: served.info(tables.REPLAY).current_size == items)
    written = {tuple(pair.tolist()) for pair in pairs[: items * 8]}
    sampled = set()
    dataset = replay_dataset(served.address, layout, batch_size=32)
    for steps, info in dataset.unbatch().take(len(pairs) // 2):
        both = np.reshape(steps.observation.numpy(), [32, 8])
        sampled |= {tuple(pair.tolist()) for pair in both}
        assert set(info.policy_train_step.numpy()) == {RANDOM_POLICY}
        assert not steps.is_boundary().numpy()[:, 0].any()
    assert sampled == written
    assert np.isfinite(cartpole.agent.loss(steps).loss)


def test_a_table_of_another_layout_is_refused(serve: Serve, cartpole: Built) -> None:
    """Before the first sample; Reverb would say so at any time later, or never."""
    wider = ReplayLayout(replay_layout(cartpole.agent, Replay()).codec, 3, 8)
    served = serve([queue(wider)])
    layout = replay_layout(cartpole.agent, Replay())
    with pytest.raises(ConfigurationError, match="the replay table holds"):
        replay_dataset(served.address, layout, batch_size=64)
