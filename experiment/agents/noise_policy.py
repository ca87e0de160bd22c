"""Exploration by noise that is added to actions of real numbers."""

from __future__ import annotations

import tensorflow as tf
from tf_agents.policies import tf_policy
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types
from tf_agents.utils import common


class NoisePolicy(tf_policy.TFPolicy):
    """Adds an Ornstein-Uhlenbeck process to the actions of another policy.

    x_t = (1 - damping) · x_(t-1) + N(0, stddev), from 0 at the start of each episode
    (Lillicrap et al., 2015, arXiv:1509.02971, algorithm 1). The action is then clipped
    to its bounds. With a damping of 1, it is Gaussian noise.

    The process is the state of the policy, so each environment of a batch has its own.
    TF-Agents' OUNoisePolicy and GaussianPolicy add one and the same noise to the
    actions of all environments in a batch.
    """

    def __init__(
        self, policy: tf_policy.TFPolicy, stddev: float, damping: float
    ) -> None:
        """Wraps a policy.

        Args:
          policy: Without a state; its actions are one vector with bounds.
          stddev: Of what is added to the process at each step, as a share of half the
            range of the action.
          damping: Share of the process that is lost at each step.
        """
        spec = policy.action_spec
        super().__init__(
            policy.time_step_spec,
            spec,
            policy_state_spec=tf.TensorSpec(spec.shape, spec.dtype, "noise"),
            info_spec=policy.info_spec,
        )
        self._policy = policy
        self._stddev = stddev
        self._damping = damping

    def _variables(self) -> list[tf.Variable]:
        return list(self._policy.variables())

    def _action(
        self,
        time_step: ts.TimeStep,
        policy_state: types.NestedTensor,
        seed: types.Seed | None = None,
    ) -> policy_step.PolicyStep:
        step = self._policy.action(time_step, (), seed)
        fresh = tf.random.normal(
            tf.shape(policy_state), stddev=self._stddev, dtype=policy_state.dtype
        )
        noise = (1 - self._damping) * policy_state + fresh
        _, half_range = common.spec_means_and_magnitudes(self.action_spec)
        return policy_step.PolicyStep(
            step.action + half_range * noise, noise, step.info
        )

    def _distribution(
        self, time_step: ts.TimeStep, policy_state: types.NestedTensor
    ) -> policy_step.PolicyStep:
        raise NotImplementedError("the noise depends on the one before")
