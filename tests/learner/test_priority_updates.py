"""learner/priority_updates.py: what is learned from decides on what is sampled."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent

from experiment import definition
from learner.priority_updates import PriorityUpdates
from learner.trainer import Trainer
from reverb_server import tables
from reverb_server.priorities import SMALLEST
from reverb_server.replay_dataset import SampleInfo
from tests.actor.served_run import serve
from tests.learner.conftest import BATCH_SIZE, CARTPOLE, Learning
from tests.reverb_server.waiting import wait_until

SETTINGS = """
Replay.priority_exponent = 0.6
Replay.transitions_per_item = None
Replay.max_size = 1000
Train.steps_per_call = 1
dqn_agent.learning_rate = 1e-3
"""


@pytest.fixture
def prioritized(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Learning]:
    """A run with prioritized replay; by a parameter, with XLA too."""
    jit_compile = getattr(request, "param", False)
    text = f"{CARTPOLE}{SETTINGS}\nTrain.jit_compile = {jit_compile}"
    experiment = definition.load_text(text)
    with serve(experiment, tmp_path) as run:
        learning = Learning(run, experiment, tmp_path)
        learning.fill(policy_train_step=0, steps=60)
        yield learning


def stored(learning: Learning, keys: list[int]) -> dict[int, float]:
    """Priorities that the table has now; items that are not met are missing."""
    client = learning.run.server.client
    samples = client.sample(tables.REPLAY, 1_000, emit_timesteps=False)
    found = {sample.info.key: sample.info.priority for sample in samples}
    return {key: found[key] for key in keys if key in found}


def train_once(trainer: Trainer) -> None:
    """One gradient step."""
    wait_until(lambda: trainer.run(1))


@pytest.mark.parametrize("prioritized", [True, False], indirect=True)
def test_what_was_trained_on_gets_its_error_as_priority(prioritized: Learning) -> None:
    """|TD error| of before the step, and a little; nothing else has changed."""
    trainer = prioritized.build()
    agent = trainer.agent
    assert trainer.batches.wait(1, 20)
    batch = next(trainer.batches)
    (steps, weights), info = batch
    values = agent._q_network(steps.observation[0, :, 0])[0]
    taken = tf.gather(values, steps.action[0, :, 0], batch_dims=1)
    following = agent._target_q_network(steps.observation[0, :, 1])[0]
    goal = steps.reward[0, :, 0] + 0.99 * steps.discount[0, :, 0] * tf.reduce_max(
        following, axis=1
    )
    wanted = np.abs(goal - taken) + SMALLEST
    assert weights.shape == (1, BATCH_SIZE)
    trainer._learner.run(iterator=itertools.repeat(batch))
    assert trainer._updates
    trainer._updates.send()
    keys = info.keys[0].numpy().tolist()
    wait_until(
        lambda: np.allclose(
            [stored(prioritized, keys).get(key, math.inf) for key in keys],
            [dict(zip(keys, wanted))[key] for key in keys],
            rtol=1e-4,
        )
    )


def test_new_items_get_the_largest_priority_so_far(prioritized: Learning) -> None:
    """It travels with the weights, and is stored with them."""
    trainer = prioritized.build()
    assert float(trainer.weights[tables.LARGEST_PRIORITY_KEY]) == 1
    trainer.weights[tables.LARGEST_PRIORITY_KEY].assign(123.0)
    train_once(trainer)
    assert float(trainer.weights[tables.LARGEST_PRIORITY_KEY]) == 123
    trainer.save()
    again = prioritized.build()
    assert float(again.weights[tables.LARGEST_PRIORITY_KEY]) == 123


def test_what_is_no_number_becomes_no_priority(prioritized: Learning) -> None:
    """Reverb would take it, and sample it for ever."""
    largest = tf.Variable(7.0)
    updates = PriorityUpdates(prioritized.run.server.address, largest)
    info = SampleInfo(tf.constant([[0, 0, 0]]), tf.constant([[1, 2, 3]], tf.uint64))
    errors = tf.constant([[math.nan, math.inf, 2.0]])
    updates((None, info), tf_agent.LossInfo(tf.constant(0.0), errors))
    np.testing.assert_allclose(updates._priorities, [7, 7, 2 + SMALLEST])
    assert float(largest) == 7
