"""What DQN does with sequences: it reads into them before it learns from them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tf_agents.agents.dqn import dqn_agent as tf_dqn_agent
from tf_agents.typing import types


class _BurnIn(tf_dqn_agent.DqnAgent):
    """Leaves the first steps of a sequence out of the loss.

    The network's state at the beginning of a stored sequence is not known, since
    weights have changed. It begins with zeros, and what it makes of the first steps
    gives it a state to learn from (Kapturowski et al., 2019, R2D2, section 3). Unlike
    there, gradients of later steps pass through them. The loss is the mean over the
    other steps, so a learning rate means the same for any length.

    Attributes:
      burn_in: Steps that are left out.
    """

    def __init__(self, *arguments: Any, burn_in: int, **settings: Any) -> None:
        """As TF-Agents' agent.

        Args:
          *arguments: Of TF-Agents' agent.
          burn_in: Steps of each sequence that are left out.
          **settings: Of TF-Agents' agent.
        """
        self.burn_in = burn_in
        super().__init__(*arguments, **settings)

    def _td_loss(
        self,
        q_values: types.Tensor,
        next_q_values: types.Tensor,
        rewards: types.Tensor,
        discounts: types.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Losses and errors [B, T - 1]; the agent sums them up over time."""
        loss, error = super()._td_loss(q_values, next_q_values, rewards, discounts)
        steps = tf.shape(loss)[1]
        learned = tf.cast(tf.range(steps) >= self.burn_in, loss.dtype)
        return loss * learned / tf.reduce_sum(learned), error * learned


class RecurrentDqnAgent(_BurnIn):
    """DQN on sequences."""


class RecurrentDdqnAgent(_BurnIn, tf_dqn_agent.DdqnAgent):
    """Double DQN on sequences."""
