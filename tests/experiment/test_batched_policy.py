"""experiment/batched_policy.py: actions that environments take without TensorFlow."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import batched_py_environment
from tf_agents.policies import random_tf_policy
from tf_agents.specs import BoundedTensorSpec, tensor_spec

from experiment import environments
from experiment.batched_policy import BatchedPolicy
from experiment.definition import Experiment


@pytest.fixture(params=[1, 3])
def environment(
    request: pytest.FixtureRequest,
) -> batched_py_environment.BatchedPyEnvironment:
    """Batches of CartPoles: one, and some."""
    factory = functools.partial(environments.gym_environment, "CartPole-v1")
    return environments.batched(factory, request.param, np.random.SeedSequence(0))


def test_actions_are_the_policys_as_arrays(
    environment: batched_py_environment.BatchedPyEnvironment,
) -> None:
    """One for each environment, which takes them."""
    agent, _ = Experiment().make_agent(environment)
    policy = BatchedPolicy(agent.policy)
    time_step = environment.reset()
    for _ in range(20):
        action = policy.action(time_step).action
        assert isinstance(action, np.ndarray)
        assert action.shape == (environment.batch_size,)
        expected = agent.policy.action(tf.nest.map_structure(tf.constant, time_step))
        np.testing.assert_array_equal(action, expected.action)
        time_step = environment.step(action)


def test_what_the_policy_says_beside_is_arrays_too(
    environment: batched_py_environment.BatchedPyEnvironment,
) -> None:
    """It is stored with the step."""
    policy = BatchedPolicy(
        random_tf_policy.RandomTFPolicy(
            tensor_spec.from_spec(environment.time_step_spec()),
            tensor_spec.from_spec(environment.action_spec()),
            info_spec={"note": BoundedTensorSpec([2], tf.float32, 0, 1)},
        )
    )
    note = policy.action(environment.reset()).info["note"]
    assert isinstance(note, np.ndarray)
    assert note.shape == (environment.batch_size, 2)
