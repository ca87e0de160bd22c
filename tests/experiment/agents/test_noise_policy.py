"""experiment/agents/noise_policy.py: noise of its own for each environment."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.policies import tf_policy
from tf_agents.specs import BoundedTensorSpec
from tf_agents.trajectories import StepType, policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment.agents.noise_policy import NoisePolicy
from experiment.batched_policy import BatchedPolicy

ENVIRONMENTS = 500


class Still(tf_policy.TFPolicy):
    """Always takes the action in the middle of its range."""

    def _action(
        self,
        time_step: ts.TimeStep,
        policy_state: types.NestedTensor,
        seed: types.Seed | None = None,
    ) -> policy_step.PolicyStep:
        count = tf.shape(time_step.step_type)[0]
        return policy_step.PolicyStep(tf.tile([[10.0, 0.0]], [count, 1]), policy_state)


def noise(stddev: float, damping: float, firsts: tuple[int, ...] = (0,)) -> np.ndarray:
    """What is added in 40 steps to the actions of all environments, [T, B, 2].

    In units of half the range.

    Args:
      stddev: As of NoisePolicy.
      damping: As of NoisePolicy.
      firsts: Steps that begin an episode, in the first half of the environments.
    """
    tf.random.set_seed(1)
    spec = ts.time_step_spec(tf.TensorSpec([1], tf.float32))
    action = BoundedTensorSpec([2], tf.float32, [8.0, -1.0], [12.0, 1.0])
    policy = BatchedPolicy(NoisePolicy(Still(spec, action), stddev, damping))
    state = policy.get_initial_state(ENVIRONMENTS)
    step = ts.restart(np.zeros([ENVIRONMENTS, 1], np.float32), ENVIRONMENTS)
    added = []
    for number in range(40):
        step_type = np.full(ENVIRONMENTS, StepType.MID)
        if number in firsts:
            step_type[: ENVIRONMENTS // 2] = StepType.FIRST
        acted = policy.action(step._replace(step_type=step_type), state)
        state = acted.state
        added.append((acted.action - [10.0, 0.0]) / [2.0, 1.0])
    return np.array(added)


@pytest.mark.parametrize(
    ("damping", "stationary", "correlation"),
    [(1.0, 0.05, 0.0), (0.15, 0.05 / np.sqrt(1 - 0.85**2), 0.85)],
)
def test_it_is_the_process_that_it_says(
    damping: float, stationary: float, correlation: float
) -> None:
    """Its deviation in the end, and how much of it is left a step later."""
    added = noise(stddev=0.05, damping=damping)
    np.testing.assert_allclose(added[0].std(axis=0), 0.05, rtol=0.15)
    np.testing.assert_allclose(added[-1].std(axis=0), stationary, rtol=0.15)
    for number in range(2):
        found = np.corrcoef(added[-1, :, number], added[-2, :, number])[0, 1]
        assert found == pytest.approx(correlation, abs=0.15)


def test_environments_and_numbers_have_noise_of_their_own() -> None:
    """Over time, none follows another."""
    added = noise(stddev=0.05, damping=1.0)
    pairs = (added[:, 0, 0], added[:, 1, 0]), (added[:, 0, 0], added[:, 0, 1])
    for one, other in pairs:
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.5


def test_an_episode_begins_without_the_noise_of_the_last() -> None:
    """In its own environment only."""
    added = noise(stddev=0.05, damping=0.05, firsts=(0, 39))
    half = ENVIRONMENTS // 2
    np.testing.assert_allclose(added[39, :half].std(axis=0), 0.05, rtol=0.15)
    assert (added[39, half:].std(axis=0) > 0.1).all()


def test_actions_stay_within_their_bounds() -> None:
    """However large the noise is."""
    added = noise(stddev=5.0, damping=0.15)
    assert np.abs(added).max() == pytest.approx(1.0)
    assert np.mean(np.abs(added) == 1.0) > 0.5


def test_without_noise_it_is_the_other_policy() -> None:
    """Exactly."""
    assert (noise(stddev=0.0, damping=0.15) == 0).all()
