"""What DQN does with sequences: it reads into them, and sums up their rewards."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tf_agents.agents.dqn import dqn_agent as tf_dqn_agent
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types


class _OfSequences(tf_dqn_agent.DqnAgent):
    """Leaves the first steps of a sequence out of the loss; learns of n-step returns.

    The network's state at the beginning of a stored sequence is not known, since
    weights have changed. It begins with zeros, and what it makes of the first steps
    gives it a state to learn from (Kapturowski et al., 2019, R2D2, section 3). Unlike
    there, gradients of later steps pass through them. The loss is the mean over the
    other steps, so a learning rate means the same for any length.

    TF-Agents has n-step returns for windows of n + 1 steps only. Here they are those of
    every step, and of fewer rewards where the episode or the sequence ends before.

    Attributes:
      burn_in: Steps that are left out.
      n_step: Rewards that are summed up before a Q-value stands for the rest.
    """

    def __init__(
        self, *arguments: Any, burn_in: int, n_step: int, **settings: Any
    ) -> None:
        """As TF-Agents' agent.

        Args:
          *arguments: Of TF-Agents' agent.
          burn_in: Steps of each sequence that are left out.
          n_step: Rewards of a return.
          **settings: Of TF-Agents' agent.
        """
        self.burn_in = burn_in
        self.n_step = n_step
        super().__init__(*arguments, **settings)

    def _compute_next_q_values(
        self, next_time_steps: ts.TimeStep, info: types.NestedTensor
    ) -> tf.Tensor:
        """Of each step [B, T - 1, 2]: the value after it, and 1 if an episode ends."""
        values = super()._compute_next_q_values(next_time_steps, info)
        is_last = tf.cast(next_time_steps.is_last(), values.dtype)
        return tf.stack([values, is_last], axis=-1)

    def _td_loss(
        self,
        q_values: types.Tensor,
        next_q_values: types.Tensor,
        rewards: types.Tensor,
        discounts: types.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Losses and errors [B, T - 1]; the agent sums them up over time."""
        values, is_last = tf.unstack(next_q_values, axis=-1)
        following = values
        for _ in range(self.n_step - 1):
            returns = rewards + discounts * following
            of_next_step = tf.concat([returns[:, 1:], values[:, -1:]], axis=1)
            # A new episode is no consequence of the one before.
            following = tf.where(is_last > 0, values, of_next_step)
        loss, error = super()._td_loss(q_values, following, rewards, discounts)
        steps = tf.shape(loss)[1]
        learned = tf.cast(tf.range(steps) >= self.burn_in, loss.dtype)
        return loss * learned / tf.reduce_sum(learned), error * learned


class RecurrentDqnAgent(_OfSequences):
    """DQN on sequences."""


class RecurrentDdqnAgent(_OfSequences, tf_dqn_agent.DdqnAgent):
    """Double DQN on sequences."""
