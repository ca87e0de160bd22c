"""Proximal policy optimization: learns from its own newest experience only."""

from __future__ import annotations

import gin
import tensorflow as tf
from tf_agents.agents.ppo import ppo_clip_agent
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types
from tf_agents.utils import value_ops

from experiment.agents import checks
from experiment.agents.actor_critic import make_policy_network, make_value
from experiment.agents.on_policy import OnPolicyAgent
from experiment.errors import check_number
from experiment.networks import (
    NetworkFactory,
    categorical_actor_network,
    value_network,
)


class PPOAgent(ppo_clip_agent.PPOClipAgent):
    """TF-Agents' agent on windows that may begin and end anywhere in an episode.

    TF-Agents takes each end of an episode for a terminal state, and the value before
    the last for that of the last observation of a window. Both are right here.
    """

    def compute_return_and_advantage(
        self, next_time_steps: ts.TimeStep, value_preds: types.Tensor
    ) -> tuple[types.Tensor, types.Tensor]:
        """Value targets and advantages of windows of T transitions.

        Where a time limit ends an episode, its discount is 1: the value of the last
        observation stands for the rewards that were cut off (Pardo et al., 2018,
        arXiv:1712.00378), as in Stable-Baselines3. What leads from there to the next
        episode is no transition: its advantage is the mean of the others, so that it
        moves the normalised advantages little.

        Args:
          next_time_steps: What the actions led to, [B, T, ...].
          value_preds: Of all observations, [B, T + 1].

        Returns:
          Targets and advantages, [B, T].
        """
        following = next_time_steps.discount * value_preds[:, 1:]
        cut_off = tf.where(next_time_steps.is_last(), following, 0.0)
        rewards = next_time_steps.reward + self._discount_factor * cut_off
        targets, advantages = super().compute_return_and_advantage(
            next_time_steps._replace(reward=rewards), value_preds
        )
        counts = tf.cast(~next_time_steps.is_first(), tf.float32)
        mean = tf.math.divide_no_nan(
            tf.reduce_sum(advantages * counts), tf.reduce_sum(counts)
        )
        return targets, tf.where(next_time_steps.is_first(), mean, advantages)

    def compute_advantages(
        self,
        rewards: types.Tensor,
        returns: types.Tensor,
        discounts: types.Tensor,
        value_preds: types.Tensor,
    ) -> types.Tensor:
        """Generalized advantage estimation (Schulman et al., 2015, arXiv:1506.02438).

        Args:
          rewards: [B, T].
          returns: Not used.
          discounts: [B, T]; 0 where an episode ends.
          value_preds: Of all observations, [B, T + 1].

        Returns:
          Advantages [B, T].
        """
        del returns
        return value_ops.generalized_advantage_estimation(
            values=value_preds[:, :-1],
            final_value=value_preds[:, -1],
            discounts=discounts,
            rewards=rewards,
            td_lambda=self._lambda,
            time_major=False,
        )


@gin.configurable
def ppo_agent(
    time_step_spec: ts.TimeStep,
    action_spec: types.NestedTensorSpec,
    train_step: tf.Variable,
    *,
    actor_network: NetworkFactory = categorical_actor_network,
    value_network: NetworkFactory = value_network,
    learning_rate: float = 3e-4,
    gamma: float = 0.99,
    gae_lambda: float = 0.95,
    clip_range: float = 0.2,
    epochs: int = 10,
    minibatches: int = 4,
    entropy_weight: float = 0.0,
    value_weight: float = 0.5,
    gradient_clipping: float | None = 0.5,
) -> OnPolicyAgent:
    """PPO with a clipped objective.

    Schulman et al., 2017, arXiv:1707.06347. The defaults are those of
    Stable-Baselines3, but for networks, Adam's epsilon, and minibatches: it has as many
    as there are 64 transitions.

    Args:
      time_step_spec: Spec of one unbatched time step.
      action_spec: Must be a scalar of discrete actions, counted from 0.
      train_step: int64 scalar variable that counts gradient steps.
      actor_network: Factory of the network that gives a distribution of actions.
      value_network: Factory of the network that values an observation.
      learning_rate: Of Adam, for both networks.
      gamma: Discount of future rewards, in [0, 1].
      gae_lambda: How far advantages look ahead before a value stands for the rest; 1
        is as far as the window goes.
      clip_range: How far from 1 the ratio of the new to the old probability of an
        action is rewarded.
      epochs: How often each transition is trained on.
      minibatches: Gradient steps of one epoch.
      entropy_weight: What one nat of entropy is worth in the loss.
      value_weight: What the squared error of the value counts in the loss.
      gradient_clipping: Largest norm of a gradient; None clips nothing.

    Returns:
      The agent, its variables not yet initialised.

    Raises:
      ConfigurationError: A value is out of range, or actions are not discrete.
    """
    name = "ppo_agent"
    checks.check_optimisation(name, gamma, gradient_clipping)
    check_number(f"{name}.learning_rate", learning_rate, above=0)
    check_number(f"{name}.gae_lambda", gae_lambda, at_least=0, at_most=1)
    check_number(f"{name}.clip_range", clip_range, above=0)
    check_number(f"{name}.epochs", epochs, at_least=1, integer=True)
    check_number(f"{name}.minibatches", minibatches, at_least=1, integer=True)
    check_number(f"{name}.entropy_weight", entropy_weight, at_least=0)
    check_number(f"{name}.value_weight", value_weight, above=0)
    checks.check_discrete(name, action_spec)
    specs = (time_step_spec, action_spec)
    actor = make_policy_network(name, actor_network, *specs)
    value = make_value(name, value_network, *specs)
    optimizer = tf.keras.optimizers.Adam(learning_rate)
    # As for TD3: TF-Agents' own order differs from process to process.
    optimizer.build(actor.trainable_variables + value.trainable_variables)
    agent = PPOAgent(
        *specs,
        optimizer=optimizer,
        actor_net=actor,
        value_net=value,
        importance_ratio_clipping=clip_range,
        lambda_value=gae_lambda,
        discount_factor=gamma,
        entropy_regularization=entropy_weight,
        value_pred_loss_coef=value_weight,
        num_epochs=1,  # The wrapper counts them.
        use_gae=True,
        use_td_lambda_return=True,
        normalize_rewards=False,
        normalize_observations=False,
        gradient_clipping=gradient_clipping,
        compute_value_and_advantage_in_train=False,
        update_normalizers_in_train=False,
        aggregate_losses_across_replicas=False,
        train_step_counter=train_step,
    )
    return OnPolicyAgent(agent, epochs, minibatches)
