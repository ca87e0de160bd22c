"""Soft actor-critic: learns to act well and as randomly as that allows."""

from __future__ import annotations

from typing import Any

import gin
import numpy as np
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.agents.sac import sac_agent as tf_sac_agent
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types
from tf_agents.utils import common

from experiment.agents import checks
from experiment.agents.actor_critic import make_actor, make_critic, make_optimizers
from experiment.agents.draws import Draws
from experiment.errors import check_number
from experiment.networks import (
    NetworkFactory,
    critic_network,
    stochastic_actor_network,
)


class SeededSacAgent(tf_sac_agent.SacAgent):
    """TF-Agents' SAC, whose draws follow the run's seed when XLA compiles them too."""

    def __init__(
        self, *args: Any, train_step_counter: tf.Variable, **kwargs: Any
    ) -> None:
        """As SacAgent."""
        super().__init__(*args, train_step_counter=train_step_counter, **kwargs)
        self._draws = Draws(train_step_counter)

    def _actions_and_log_probs(
        self, time_steps: ts.TimeStep, training: bool = False
    ) -> tuple[types.Tensor, types.Tensor]:
        policy = self._train_policy if training else self._policy
        distribution = policy.distribution(time_steps).action
        actions = distribution.sample(seed=self._draws.seed())
        log_pi = common.log_probability(distribution, actions, self.action_spec)
        return actions, log_pi


@gin.configurable
def sac_agent(
    time_step_spec: ts.TimeStep,
    action_spec: types.NestedTensorSpec,
    train_step: tf.Variable,
    *,
    actor_network: NetworkFactory = stochastic_actor_network,
    critic_network: NetworkFactory = critic_network,
    actor_learning_rate: float = 3e-4,
    critic_learning_rate: float = 3e-4,
    alpha_learning_rate: float = 3e-4,
    gamma: float = 0.99,
    target_update_period: int = 1,
    target_update_tau: float = 0.005,
    initial_log_alpha: float = 0.0,
    target_entropy: float | None = None,
    gradient_clipping: float | None = None,
) -> tf_agent.TFAgent:
    """Soft actor-critic with two critics and a learned temperature.

    Haarnoja et al., 2018, arXiv:1812.05905, whose table 1 has the defaults; the form of
    before is arXiv:1801.01290. Rewards need no scale of their own: alpha finds it.

    Args:
      time_step_spec: Spec of one unbatched time step.
      action_spec: Must be one vector of numbers with bounds.
      train_step: int64 scalar variable that counts gradient steps.
      actor_network: Factory of the network that gives a distribution of actions.
      critic_network: Factory of the network that values an action; called twice.
      actor_learning_rate: Of Adam for the actor.
      critic_learning_rate: Of Adam for both critics.
      alpha_learning_rate: Of Adam for the logarithm of alpha.
      gamma: Discount of future rewards, in [0, 1].
      target_update_period: Gradient steps between updates of the target critics.
      target_update_tau: Share of the weights copied at such an update; 1 is all.
      initial_log_alpha: Logarithm of what one unit of entropy is worth at first.
      target_entropy: What alpha keeps the entropy of the policy at, in nats, of actions
        in the environment's own units; None is minus the size of the action for
        actions in [-1, 1], and as much for the shape of the policy in other bounds.
      gradient_clipping: Largest norm of a gradient; None clips nothing.

    Returns:
      The agent, its variables not yet initialised.

    Raises:
      ConfigurationError: A value is out of range, or the actions do not suit SAC.
    """
    name = "sac_agent"
    optimizers = make_optimizers(
        name,
        actor=actor_learning_rate,
        critic=critic_learning_rate,
        alpha=alpha_learning_rate,
    )
    checks.check_optimisation(name, gamma, gradient_clipping)
    checks.check_targets(name, target_update_period, target_update_tau)
    check_number(f"{name}.initial_log_alpha", initial_log_alpha)
    checks.check_continuous(name, action_spec)
    specs = (time_step_spec, action_spec)
    return SeededSacAgent(
        *specs,
        critic_network=make_critic(name, critic_network, *specs),
        critic_network_2=make_critic(name, critic_network, *specs),
        actor_network=make_actor(name, actor_network, *specs, is_stochastic=True),
        **optimizers,
        target_update_tau=target_update_tau,
        target_update_period=target_update_period,
        gamma=gamma,
        initial_log_alpha=initial_log_alpha,
        target_entropy=_target_entropy(target_entropy, action_spec),
        gradient_clipping=gradient_clipping,
        train_step_counter=train_step,
    )


def _target_entropy(
    wanted: float | None, action_spec: types.BoundedTensorSpec
) -> float:
    """What is wanted, or the paper's, in nats: minus one for each number of an action.

    The latter is meant for actions in [-1, 1]; one of another range has more entropy
    by the logarithm of half of it.
    """
    if wanted is not None:
        check_number("sac_agent.target_entropy", wanted)
        return wanted
    half_range = (action_spec.maximum - action_spec.minimum) / 2
    per_number = np.log(np.broadcast_to(half_range, action_spec.shape)) - 1
    return float(per_number.sum())
