"""Twin delayed DDPG: two critics, of which the lower one is believed."""

from __future__ import annotations

from typing import Any, Callable

import gin
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.agents.td3 import td3_agent as tf_td3_agent
from tf_agents.networks import Network
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types
from tf_agents.utils import common

from experiment.agents import checks
from experiment.agents.actor_critic import make_actor, make_critic, make_optimizers
from experiment.agents.building import require_copies
from experiment.agents.draws import Draws
from experiment.agents.noise_policy import NoisePolicy
from experiment.errors import check_number
from experiment.networks import (
    NetworkFactory,
    critic_network,
    deterministic_actor_network,
)


class NoisyTd3Agent(tf_td3_agent.Td3Agent):
    """TF-Agents' TD3, with noise of its own.

    It explores differently in each environment of a batch, and what smooths the target
    policy follows the run's seed when XLA compiles it too.
    """

    _target_actor_network: Any

    def __init__(
        self,
        *args: Any,
        exploration_noise: float,
        target_policy_noise: types.Array,
        target_policy_noise_clip: types.Array,
        **kwargs: Any,
    ) -> None:
        """As Td3Agent; exploration_noise: A share of half the range of the action."""
        super().__init__(*args, target_policy_noise=0.0, **kwargs)
        self._draws = Draws(self.train_step_counter)
        self._noise = (target_policy_noise, target_policy_noise_clip)
        self._collect_policy = NoisePolicy(self.policy, exploration_noise, damping=1.0)
        # TF-Agents passes these in an order that differs from process to process, and
        # Keras stores by the first order what it has gathered: nobody could resume.
        self._critic_optimizer.build(
            self._critic_network_1.trainable_variables
            + self._critic_network_2.trainable_variables
        )

    def critic_loss(self, *args: Any, **kwargs: Any) -> tf_agent.LossInfo:
        """As Td3Agent's, whose own noise is 0: it comes with the target actions."""
        network = self._target_actor_network
        self._target_actor_network = self._smoothed(network)
        try:
            return super().critic_loss(*args, **kwargs)
        finally:
            self._target_actor_network = network

    def _smoothed(self, network: Network) -> Callable[..., tuple[types.Tensor, Any]]:
        """The network, with noise on its actions."""
        deviation, largest = self._noise

        def act(*args: Any, **kwargs: Any) -> tuple[types.Tensor, Any]:
            action, state = network(*args, **kwargs)
            drawn = tf.random.stateless_normal(tf.shape(action), self._draws.seed())
            noise = tf.clip_by_value(drawn * deviation, -largest, largest)
            return action + noise, state

        return act


@gin.configurable
def td3_agent(
    time_step_spec: ts.TimeStep,
    action_spec: types.NestedTensorSpec,
    train_step: tf.Variable,
    *,
    actor_network: NetworkFactory = deterministic_actor_network,
    critic_network: NetworkFactory = critic_network,
    actor_learning_rate: float = 1e-3,
    critic_learning_rate: float = 1e-3,
    gamma: float = 0.99,
    actor_update_period: int = 2,
    target_update_period: int = 2,
    target_update_tau: float = 0.005,
    exploration_noise: float = 0.1,
    target_policy_noise: float = 0.2,
    target_policy_noise_clip: float = 0.5,
    gradient_clipping: float | None = None,
) -> tf_agent.TFAgent:
    """Twin delayed DDPG.

    Fujimoto et al., 2018, arXiv:1802.09477, whose section 6.1 has the defaults. All
    noise is a share of half the range of the action, so 0.1 is 0.2 for one in [-2, 2].

    Args:
      time_step_spec: Spec of one unbatched time step.
      action_spec: Must be one vector of numbers with bounds.
      train_step: int64 scalar variable that counts gradient steps.
      actor_network: Factory of the network that gives an action.
      critic_network: Factory of the network that values an action; called twice. Both
        kinds of networks are called with inputs and step type.
      actor_learning_rate: Of Adam for the actor.
      critic_learning_rate: Of Adam for both critics.
      gamma: Discount of future rewards, in [0, 1].
      actor_update_period: Gradient steps of the critics for each one of the actor.
      target_update_period: Gradient steps between updates of the target networks.
      target_update_tau: Share of the weights copied at such an update; 1 is all.
      exploration_noise: Standard deviation of the noise of the collect policy.
      target_policy_noise: That of the noise which smooths the target policy.
      target_policy_noise_clip: Largest such noise.
      gradient_clipping: Largest norm of a gradient; None clips nothing.

    Returns:
      The agent, its variables not yet initialised.

    Raises:
      ConfigurationError: A value is out of range, or the actions do not suit TD3.
    """
    name = "td3_agent"
    optimizers = make_optimizers(
        name, actor=actor_learning_rate, critic=critic_learning_rate
    )
    checks.check_optimisation(name, gamma, gradient_clipping)
    checks.check_targets(name, target_update_period, target_update_tau)
    period = f"{name}.actor_update_period"
    check_number(period, actor_update_period, at_least=1, integer=True)
    check_number(f"{name}.exploration_noise", exploration_noise, at_least=0)
    check_number(f"{name}.target_policy_noise", target_policy_noise, at_least=0)
    clip = f"{name}.target_policy_noise_clip"
    check_number(clip, target_policy_noise_clip, at_least=0)
    checks.check_continuous(name, action_spec)
    specs = (time_step_spec, action_spec)
    _, half_range = common.spec_means_and_magnitudes(action_spec)
    return NoisyTd3Agent(
        *specs,
        actor_network=require_copies(
            f"{name}.actor_network",
            make_actor(name, actor_network, *specs, is_stochastic=False),
        ),
        critic_network=require_copies(
            f"{name}.critic_network", make_critic(name, critic_network, *specs)
        ),
        critic_network_2=make_critic(name, critic_network, *specs),
        **optimizers,
        exploration_noise=exploration_noise,
        target_update_tau=target_update_tau,
        target_update_period=target_update_period,
        actor_update_period=actor_update_period,
        td_errors_loss_fn=common.element_wise_squared_loss,
        gamma=gamma,
        target_policy_noise=target_policy_noise * half_range,
        target_policy_noise_clip=target_policy_noise_clip * half_range,
        gradient_clipping=gradient_clipping,
        train_step_counter=train_step,
    )
