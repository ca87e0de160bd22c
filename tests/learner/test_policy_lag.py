"""learner/policy_lag.py: how old the policies were, counted by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import tensorflow as tf

from learner.policy_lag import PolicyLag
from reverb_server.replay_dataset import SampleInfo
from reverb_server.replay_layout import RANDOM_POLICY


@pytest.fixture
def train_step() -> tf.Variable:
    """The learner's."""
    return tf.Variable(0, dtype=tf.int64)


def trained_on(lag: PolicyLag, *batches: Sequence[int]) -> None:
    """What the learner does after gradient steps on such batches, in its graph."""
    info = SampleInfo(tf.constant(batches, tf.int64))
    tf.function(lambda: lag((None, info), None))()


def test_before_any_batch_there_is_no_lag(train_step: tf.Variable) -> None:
    """Rather than 0."""
    assert PolicyLag(train_step).take() is None


def test_the_lag_is_the_mean_over_all_transitions(train_step: tf.Variable) -> None:
    """Of all batches, each as of the weights that its gradient was taken for."""
    lag = PolicyLag(train_step)
    train_step.assign(101)  # The gradient was that of step 100.
    trained_on(lag, [100, 90, 40])
    train_step.assign(102)
    trained_on(lag, [100, 101, 1])
    lags = [0, 10, 60, 1, 0, 100]
    assert lag.take() == pytest.approx(sum(lags) / 6, rel=1e-12)


def test_each_batch_of_a_call_is_of_its_own_gradient_step(
    train_step: tf.Variable,
) -> None:
    """In the order in which they were trained on."""
    lag = PolicyLag(train_step)
    train_step.assign(53)  # Three steps, for the gradients of 50, 51 and 52.
    trained_on(lag, [50, 40], [RANDOM_POLICY, 51], [2, 12])
    assert lag.take() == pytest.approx((0 + 10 + 0 + 50 + 40) / 5)


def test_weights_of_step_0_have_a_lag_as_others_have(train_step: tf.Variable) -> None:
    """Untrained weights are weights."""
    lag = PolicyLag(train_step)
    train_step.assign(8)
    trained_on(lag, [0])
    assert lag.take() == 7


def test_the_random_policy_has_no_lag(train_step: tf.Variable) -> None:
    """Neither does it count as 0."""
    lag = PolicyLag(train_step)
    train_step.assign(11)
    trained_on(lag, [RANDOM_POLICY, RANDOM_POLICY])
    assert lag.take() is None
    trained_on(lag, [RANDOM_POLICY, 4, RANDOM_POLICY, 8])
    assert lag.take() == (6 + 2) / 2


def test_taking_it_begins_anew(train_step: tf.Variable) -> None:
    """The figure is of the time since the last look."""
    lag = PolicyLag(train_step)
    train_step.assign(51)
    trained_on(lag, [0, 0, 0])
    assert lag.take() == 50
    assert lag.take() is None
    trained_on(lag, [50])
    assert lag.take() == 0


def test_large_train_steps_lose_no_digit(train_step: tf.Variable) -> None:
    """float32 knows no odd numbers beyond 2^24."""
    lag = PolicyLag(train_step)
    train_step.assign(2**40 + 4)
    trained_on(lag, [2**40])
    assert lag.take() == 3
