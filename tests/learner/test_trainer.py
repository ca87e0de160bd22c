"""learner/trainer.py: the agent in training, on a real server."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.experimental.distributed import reverb_variable_container
from tf_agents.typing import types

from learner.trainer import Trainer
from reverb_server import tables
from tests.learner.conftest import Learning, run_until


def published(learning: Learning) -> types.NestedTensor:
    """The row of the variables table."""
    assert learning.run.info(tables.VARIABLES).current_size == 1
    container = reverb_variable_container.ReverbVariableContainer(
        learning.run.address, [tables.VARIABLES]
    )
    return container.pull(tables.VARIABLES)


def snapshot(trainer: Trainer) -> list[np.ndarray]:
    """The values of the weights that travel, the train step last."""
    return [variable.numpy() for variable in tf.nest.flatten(trainer.weights)]


def same(values: Sequence[types.Array], others: Sequence[types.Array]) -> bool:
    """Whether all of them are exactly the same."""
    assert len(values) == len(others) > 2
    return all(np.array_equal(*pair) for pair in zip(values, others))


def test_a_starved_trainer_takes_no_step_and_is_not_stuck(learning: Learning) -> None:
    """It goes on as soon as there is experience."""
    trainer = learning.build()
    before = snapshot(trainer)
    begun = time.monotonic()
    assert trainer.run(max_steps=5) == 0
    assert time.monotonic() - begun < 20
    assert same(snapshot(trainer), before)
    assert trainer.figures() == {"train_step": 0, "loss": None, "policy_lag": None}
    learning.fill()
    run_until(trainer, 3)
    assert not same(snapshot(trainer)[:-1], before[:-1])


def test_training_changes_the_weights_by_gradient_steps(learning: Learning) -> None:
    """At most as many as asked for, of the batches that are ready; it counts them."""
    learning.fill()
    trainer = learning.build()
    before = snapshot(trainer)
    taken = trainer.run(max_steps=3, wait_for=4)
    assert taken == trainer.train_step == 3
    taken = trainer.run(max_steps=1_000, wait_for=4)
    assert 1 <= taken <= 4  # More batches are never ready.
    assert trainer.train_step == 3 + taken
    after = snapshot(trainer)
    assert not any(np.array_equal(*pair) for pair in zip(before, after))
    assert math.isfinite(trainer.figures()["loss"])
    assert trainer.figures()["train_step"] == trainer.train_step


def test_the_weights_are_published_with_their_train_step(learning: Learning) -> None:
    """Whoever pulls gets those of the last time."""
    learning.fill()
    trainer = learning.build()
    trainer.publish()
    first = tf.nest.flatten(published(learning))
    assert int(first[-1]) == 0
    run_until(trainer, 7)
    assert same(tf.nest.flatten(published(learning)), first)
    trainer.publish()
    row = published(learning)
    assert int(row[reverb_variable_container.TRAIN_STEP_KEY]) == 7
    assert same(tf.nest.flatten(row), snapshot(trainer))
    assert not same(tf.nest.flatten(row)[:-1], first[:-1])


def test_adopted_weights_replace_those_of_the_policy(learning: Learning) -> None:
    """The train step too; what is published and exported afterwards has them."""
    learning.fill()
    trainer = learning.build()
    trainer.publish()
    earlier = published(learning)
    run_until(trainer, 5)
    trainer.adopt(earlier)
    assert trainer.train_step == 0
    assert same(snapshot(trainer), tf.nest.flatten(earlier))
    trainer.publish()
    assert same(tf.nest.flatten(published(learning)), tf.nest.flatten(earlier))


def test_the_policy_lag_is_of_what_was_trained_on(learning: Learning) -> None:
    """Each step is one more away from the weights of step 0; taken once."""
    learning.fill(policy_train_step=0)
    trainer = learning.build()
    run_until(trainer, 4)
    assert trainer.figures()["policy_lag"] == pytest.approx((0 + 1 + 2 + 3) / 4)
    assert trainer.figures()["policy_lag"] is None


def test_the_random_policy_has_no_lag(learning: Learning) -> None:
    """In the beginning, all transitions are its own."""
    learning.fill(policy_train_step=None)
    trainer = learning.build()
    run_until(trainer, 4)
    assert trainer.figures()["policy_lag"] is None
