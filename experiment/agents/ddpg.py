"""Deep deterministic policy gradient: Q-learning for actions of real numbers."""

from __future__ import annotations

from typing import Any

import gin
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.agents.ddpg import ddpg_agent as tf_ddpg_agent
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types
from tf_agents.utils import common

from experiment.agents import checks
from experiment.agents.actor_critic import make_actor, make_critic, make_optimizers
from experiment.agents.noise_policy import NoisePolicy
from experiment.errors import check_number
from experiment.networks import (
    NetworkFactory,
    critic_network,
    deterministic_actor_network,
)


class NoisyDdpgAgent(tf_ddpg_agent.DdpgAgent):
    """TF-Agents' DDPG, which explores differently in each environment of a batch."""

    def __init__(self, *args: Any, ou_stddev: float, ou_damping: float, **kwargs: Any):
        """As DdpgAgent; ou_stddev: A share of half the range of the action."""
        super().__init__(*args, **kwargs)
        self._collect_policy = NoisePolicy(self.policy, ou_stddev, ou_damping)


@gin.configurable
def ddpg_agent(
    time_step_spec: ts.TimeStep,
    action_spec: types.NestedTensorSpec,
    train_step: tf.Variable,
    *,
    actor_network: NetworkFactory = deterministic_actor_network,
    critic_network: NetworkFactory = critic_network,
    actor_learning_rate: float = 1e-4,
    critic_learning_rate: float = 1e-3,
    gamma: float = 0.99,
    target_update_period: int = 1,
    target_update_tau: float = 0.001,
    ou_stddev: float = 0.2,
    ou_damping: float = 0.15,
    gradient_clipping: float | None = None,
) -> tf_agent.TFAgent:
    """Deep deterministic policy gradient.

    Lillicrap et al., 2015, arXiv:1509.02971, whose section 7 has the defaults. Batch
    normalisation and the decay of the weights are left out.

    Args:
      time_step_spec: Spec of one unbatched time step.
      action_spec: Must be one vector of numbers with bounds.
      train_step: int64 scalar variable that counts gradient steps.
      actor_network: Factory of the network that gives an action.
      critic_network: Factory of the network that values an action.
      actor_learning_rate: Of Adam for the actor.
      critic_learning_rate: Of Adam for the critic.
      gamma: Discount of future rewards, in [0, 1].
      target_update_period: Gradient steps between updates of the target networks.
      target_update_tau: Share of the weights copied at such an update; 1 is all.
      ou_stddev: Standard deviation of what is added at each step to the noise of the
        collect policy, an Ornstein-Uhlenbeck process; a share of half the range of the
        action, so 0.2 is 0.4 for one in [-2, 2].
      ou_damping: Share of the noise that is lost at each step, in [0, 1]; 1 makes it
        Gaussian noise.
      gradient_clipping: Largest norm of a gradient; None clips nothing.

    Returns:
      The agent, its variables not yet initialised.

    Raises:
      ConfigurationError: A value is out of range, or the actions do not suit DDPG.
    """
    name = "ddpg_agent"
    optimizers = make_optimizers(
        name, actor=actor_learning_rate, critic=critic_learning_rate
    )
    checks.check_optimisation(name, gamma, gradient_clipping)
    checks.check_targets(name, target_update_period, target_update_tau)
    check_number(f"{name}.ou_stddev", ou_stddev, at_least=0)
    check_number(f"{name}.ou_damping", ou_damping, at_least=0, at_most=1)
    checks.check_continuous(name, action_spec)
    specs = (time_step_spec, action_spec)
    return NoisyDdpgAgent(
        *specs,
        actor_network=make_actor(name, actor_network, *specs, is_stochastic=False),
        critic_network=make_critic(name, critic_network, *specs),
        **optimizers,
        ou_stddev=ou_stddev,
        ou_damping=ou_damping,
        target_update_tau=target_update_tau,
        target_update_period=target_update_period,
        td_errors_loss_fn=common.element_wise_squared_loss,
        gamma=gamma,
        gradient_clipping=gradient_clipping,
        train_step_counter=train_step,
    )
