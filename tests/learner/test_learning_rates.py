"""learner/learning_rates.py: a resumed trainer learns at the rate of today."""

from __future__ import annotations

import dataclasses

import gin
import pytest
import tensorflow as tf

from experiment import definition
from learner import learning_rates
from learner.trainer import Trainer
from tests.learner.conftest import CARTPOLE, Learning, run_until


def with_rate(learning: Learning, rate: str) -> Learning:
    """The same run, with another learning rate."""
    gin.clear_config()
    text = f"{CARTPOLE}dqn_agent.learning_rate = {rate}\n"
    return dataclasses.replace(learning, experiment=definition.load_text(text))


def rate_of(trainer: Trainer) -> float:
    """That of the optimizer that trains the agent."""
    return float(trainer.agent._optimizer.learning_rate)


def test_the_rate_of_today_is_taken_and_told(
    learning: Learning, caplog: pytest.LogCaptureFixture
) -> None:
    """All else of the optimizer is restored."""
    learning.fill()
    first = with_rate(learning, "0.01").build()
    assert rate_of(first) == pytest.approx(0.01)
    run_until(first, 3)
    first.save()
    assert "learning rate" not in caplog.text
    second = with_rate(learning, "0.002").build()
    assert second.train_step == 3
    assert int(second.agent._optimizer.iterations) == 3
    assert rate_of(second) == pytest.approx(0.002)
    assert "learning rate: 0.002, not 0.01 as stored" in caplog.text
    before = [variable.numpy() for variable in second.agent.policy.variables()]
    run_until(second, 4)
    after = [variable.numpy() for variable in second.agent.policy.variables()]
    # The first steps of Adam are about as large as its learning rate.
    moved = max(float(abs(a - b).max()) for a, b in zip(after, before))
    assert moved < 0.005


class Agent:
    """Has optimizers, and other things."""

    def __init__(self, *optimizers: object) -> None:
        self._first, self._second = optimizers
        self.number = 3


def test_all_optimizers_of_an_agent_are_found() -> None:
    """Of both kinds that Keras has; an actor-critic agent has several."""
    agent = Agent(tf.keras.optimizers.Adam(0.25), tf.keras.optimizers.legacy.SGD(0.5))
    found = learning_rates.read(agent)
    assert [rate for _, rate in found] == [0.25, 0.5]
    for variable, _ in found:
        variable.assign(9.0)
    learning_rates.write(found)
    assert [float(variable) for variable, _ in found] == [rate for _, rate in found]


def test_a_schedule_is_left_alone() -> None:
    """It follows the train step, which is restored."""
    schedule = tf.keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    agent = Agent(tf.keras.optimizers.Adam(schedule), tf.keras.optimizers.Adam(0.5))
    rates = [rate for _, rate in learning_rates.read(agent)]
    assert rates == [0.5]
