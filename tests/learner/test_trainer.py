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

from experiment.errors import ConfigurationError, DivergedError
from experiment.interval import Interval
from learner.compiled_agent import CompiledAgent
from learner.trainer import Trainer
from reverb_server import tables
from tests.learner.conftest import BATCH_SIZE, Learning, run_until
from tests.reverb_server.waiting import wait_until


def published(learning: Learning) -> types.NestedTensor:
    """The row of the variables table."""
    assert learning.run.info(tables.VARIABLES).current_size == 1
    container = reverb_variable_container.ReverbVariableContainer(
        learning.run.address, [tables.VARIABLES]
    )
    return container.pull(tables.VARIABLES)


def publish(learning: Learning, trainer: Trainer) -> None:
    """Publishes the weights; the server has them when it returns."""
    before = learning.publications()
    trainer.publish()
    wait_until(lambda: learning.publications() == before + 1)


def snapshot(trainer: Trainer) -> list[np.ndarray]:
    """The values of the weights that travel, the train step last."""
    return [variable.numpy() for variable in tf.nest.flatten(trainer.weights)]


def same(values: Sequence[types.Array], others: Sequence[types.Array]) -> bool:
    """Whether all of them are exactly the same."""
    assert len(values) == len(others) > 2
    return all(np.array_equal(*pair) for pair in zip(values, others))


def test_a_starved_trainer_takes_no_step_and_is_not_stuck(learning: Learning) -> None:
    """It goes on as soon as there is experience, at first of the random policy."""
    trainer = learning.build()
    before = snapshot(trainer)
    begun = time.monotonic()
    assert not trainer.run(steps=3)
    assert time.monotonic() - begun < 20
    assert same(snapshot(trainer), before)
    figures = trainer.figures()
    assert abs(figures.pop("time") - time.time()) < 20
    assert 0 < figures.pop("waited_s") < 20
    assert figures.pop("train_step") == 0
    assert figures.pop("dropped_windows") == 0
    assert "loss" in figures
    assert set(figures.values()) == {None}
    learning.fill(policy_train_step=None)
    run_until(trainer, 3)
    figures = trainer.figures()
    assert figures["train_step"] == 3
    assert math.isfinite(figures["loss"])
    assert figures["policy_lag"] is None


def test_training_changes_the_weights_by_gradient_steps(trainer: Trainer) -> None:
    """As many as asked for."""
    before, begun_at = snapshot(trainer), trainer.train_step
    assert trainer.run(steps=3)
    assert trainer.train_step == begun_at + 3
    assert trainer.run(steps=1)
    assert trainer.train_step == begun_at + 4
    after = snapshot(trainer)
    assert not any(np.array_equal(*pair) for pair in zip(before, after))
    assert math.isfinite(trainer.figures()["loss"])


def test_the_weights_are_published_with_their_train_step(
    fed: Learning, trainer: Trainer
) -> None:
    """Whoever pulls gets those of the last time."""
    begun_at = trainer.train_step
    publish(fed, trainer)
    first = tf.nest.flatten(published(fed))
    assert int(first[-1]) == begun_at
    run_until(trainer, begun_at + 7)
    assert same(tf.nest.flatten(published(fed)), first)
    publish(fed, trainer)
    row = published(fed)
    assert int(row[reverb_variable_container.TRAIN_STEP_KEY]) == begun_at + 7
    assert same(tf.nest.flatten(row), snapshot(trainer))
    assert not same(tf.nest.flatten(row)[:-1], first[:-1])


def test_adopted_weights_replace_those_of_the_policy(
    fed: Learning, trainer: Trainer
) -> None:
    """The train step too; what is published afterwards has them."""
    begun_at = trainer.train_step
    publish(fed, trainer)
    earlier = published(fed)
    run_until(trainer, begun_at + 5)
    trainer.adopt(earlier)
    assert trainer.train_step == begun_at
    assert same(snapshot(trainer), tf.nest.flatten(earlier))
    publish(fed, trainer)
    assert same(tf.nest.flatten(published(fed)), tf.nest.flatten(earlier))


def test_the_policy_lag_is_of_what_was_trained_on(trainer: Trainer) -> None:
    """Each step is one more away from the weights of step 0; taken once."""
    trainer.figures()
    begun_at = trainer.train_step
    run_until(trainer, begun_at + 4)
    lags = range(begun_at, begun_at + 4)
    assert trainer.figures()["policy_lag"] == pytest.approx(np.mean(lags))
    assert trainer.figures()["policy_lag"] is None


def test_losses_are_there_for_tensorboard(fed: Learning, trainer: Trainer) -> None:
    """As soon as a multiple of the interval, which is 5, has been passed."""
    begun_at = trainer.train_step
    for number in range(1, 5):
        run_until(trainer, begun_at + 4 * number)
    trainer.save()  # Writes what is not written yet: a process ends without.
    steps = {
        event.step
        for path in (fed.root_dir / "train").glob("events.out.tfevents.*")
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "Losses/loss"
    }
    calls = [begun_at + 4 * number for number in range(1, 5)]
    passed = {step for step in calls if (step - 4) // 5 < step // 5}
    assert len(passed) >= 3
    assert steps & set(calls) == passed


def test_the_policy_lags_are_there_for_tensorboard(
    fed: Learning, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a histogram of the newest batches, when some seconds have passed."""
    monkeypatch.setattr(trainer, "_histogram", Interval(0.0))
    begun_at = trainer.train_step
    assert trainer.run(steps=4)
    monkeypatch.setattr(trainer, "_histogram", Interval(3_600.0))
    run_until(trainer, begun_at + 8)
    trainer.save()
    written = {
        event.step: tf.make_ndarray(value.tensor)
        for path in (fed.root_dir / "train").glob("events.out.tfevents.*")
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "PolicyLag/gradient_steps"
    }
    assert begun_at + 8 not in written
    buckets = written[begun_at + 4]
    # The weights that acted were those of train step 0.
    assert buckets[0, 0] == pytest.approx(begun_at)
    assert buckets[-1, 1] == pytest.approx(begun_at + 3)
    assert buckets[:, 2].sum() == 4 * BATCH_SIZE


@pytest.mark.parametrize(
    ("jit_compile", "message"),
    [
        (True, "the loss is nan at train step"),
        (False, "the loss is not finite at train step"),
    ],
)
def test_a_loss_that_is_no_number_ends_the_training(
    learning: Learning, jit_compile: bool, message: str
) -> None:
    """XLA leaves out the agent's own check; else that is the first to see it."""
    trainer = learning.build()
    trainer._learner._agent._take_steps = CompiledAgent(
        trainer.agent, jit_compile
    )._take_steps
    learning.fill(policy_train_step=0)
    for variable in trainer.agent.policy.variables():
        variable.assign(np.full(variable.shape, np.nan))
    with pytest.raises(DivergedError, match=message):
        run_until(trainer, 4)


def test_a_loss_that_explodes_is_told(learning: Learning) -> None:
    """It is a number still, so training goes on."""
    trainer = learning.build()
    learning.fill(policy_train_step=0)
    for _ in range(100):
        assert trainer.run(1)
    assert trainer.figures()["problem"] is None
    for variable in trainer.agent.policy.variables():
        variable.assign(1e6 * variable)
    assert trainer.run(1)
    assert "training diverges; lower the learning" in trainer.figures()["problem"]


def test_operations_that_xla_does_not_know_are_answered_with_the_remedy(
    learning: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any agent may be brought along."""
    trainer = learning.build()
    learning.fill(policy_train_step=0)
    inner = trainer.agent._train

    def unknown(experience: types.NestedTensor, weights: types.Tensor) -> object:
        info = inner(experience, weights)
        loss = tf.strings.to_number(tf.strings.as_string(info.loss))
        return info._replace(loss=loss)

    monkeypatch.setattr(trainer.agent, "_train_fn", unknown)
    trainer._learner._agent._take_steps = CompiledAgent(
        trainer.agent, jit_compile=True
    )._take_steps
    with pytest.raises(ConfigurationError, match=r"set Train\.jit_compile = False"):
        run_until(trainer, 4)
