"""experiment/agents/on_policy.py: each transition is trained on once an epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.specs import BoundedTensorSpec
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory

from experiment.agents import OnPolicyAgent, ppo_agent
from experiment.errors import ConfigurationError

EPOCHS, MINIBATCHES = 3, 2
WINDOWS, LENGTH = 4, 6
TRANSITIONS = WINDOWS * (LENGTH - 1)


class Noting(tf_agent.TFAgent):
    """Takes no gradient steps, but notes the rewards of what it is trained on."""

    def __init__(self, like: tf_agent.TFAgent) -> None:
        super().__init__(
            like.time_step_spec,
            like.action_spec,
            like.policy,
            like.collect_policy,
            train_sequence_length=None,
            train_step_counter=tf.Variable(0, dtype=tf.int64),
        )
        size = TRANSITIONS // MINIBATCHES
        self.seen = tf.Variable(tf.zeros([EPOCHS * MINIBATCHES, size]))
        self.preprocessed = tf.Variable(0)

    def _preprocess_sequence(self, experience: Any) -> Any:
        self.preprocessed.assign_add(1)
        return experience._replace(reward=experience.reward + 0.5)

    def _train(self, experience: Any, weights: Any) -> tf_agent.LossInfo:
        del weights
        step = self.train_step_counter.read_value()  # As it is before.
        rewards = tf.ensure_shape(experience.reward, [None, 1])[:, 0]
        self.seen.scatter_nd_update([[step]], [rewards])
        self.train_step_counter.assign_add(1)
        return tf_agent.LossInfo(tf.cast(step, tf.float32), ())


def noting() -> tuple[Noting, OnPolicyAgent]:
    """An agent that notes, and the same trained in minibatches."""
    like = ppo_agent(
        ts.time_step_spec(tf.TensorSpec([3], tf.float32)),
        BoundedTensorSpec([], tf.int64, 0, 1),
        tf.Variable(0, dtype=tf.int64),
    )
    inner = Noting(like)
    agent = OnPolicyAgent(inner, EPOCHS, MINIBATCHES)
    agent.initialize()
    return inner, agent


def numbered(agent: OnPolicyAgent) -> trajectory.Trajectory:
    """A batch of which each transition has a reward of its own; the last steps -1."""
    rewards = np.full([WINDOWS, LENGTH], -1.0, np.float32)
    rewards[:, :-1] = np.arange(TRANSITIONS).reshape(WINDOWS, LENGTH - 1)
    zeros = tf.nest.map_structure(
        lambda spec: tf.zeros([WINDOWS, LENGTH, *spec.shape], spec.dtype),
        agent.collect_data_spec,
    )
    return zeros._replace(reward=tf.constant(rewards))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_minibatches_have_each_transition_once_an_epoch(jit_compile: bool) -> None:
    """In another order each time; experience is preprocessed once before."""
    inner, agent = noting()
    train = tf.function(agent.train, autograph=False, jit_compile=jit_compile)
    loss = train(numbered(agent)).loss
    steps = EPOCHS * MINIBATCHES
    assert int(inner.train_step_counter) == agent.steps_per_batch == steps
    assert int(inner.preprocessed) == 1
    assert float(loss) == np.mean(np.arange(steps))
    epochs = inner.seen.numpy().reshape(EPOCHS, TRANSITIONS)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(TRANSITIONS) + 0.5)
    assert len(np.unique(epochs, axis=0)) == EPOCHS


def test_a_batch_that_cannot_be_cut_is_refused() -> None:
    """Rather than some transitions left out."""
    _, agent = noting()
    agent.check_batch(windows=3, sequence_length=3)
    with pytest.raises(ConfigurationError, match=r"has 15 transitions .* 2 minibatch"):
        agent.check_batch(windows=3, sequence_length=6)
