"""An agent of one's own: Expected Sarsa instead of Q-learning.

It values what the ε-greedy policy itself will earn, with its random steps, not what the
greedy policy would; so it keeps away from the cliff while it explores. See Sutton and
Barto, 2018, "Reinforcement Learning", equation 6.9, and van Seijen et al., 2009,
doi:10.1109/ADPRL.2009.4927542.
"""

from typing import Any, Callable

import gin
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.agents.dqn import dqn_agent
from tf_agents.networks import network as tf_network
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types


class ExpectedSarsaAgent(dqn_agent.DqnAgent):
    """TF-Agents' DQN with another value of the next state."""

    def _compute_next_q_values(self, next_time_steps: ts.TimeStep, info: Any) -> Any:
        """Sum of π(a|s') Q(s', a) over all actions, float32 [B].

        The ε-greedy policy takes any action with probability ε, else the best one.
        """
        del info
        values, _ = self._target_q_network(
            next_time_steps.observation, step_type=next_time_steps.step_type
        )
        best = tf.reduce_max(values, axis=-1)
        mean = tf.reduce_mean(values, axis=-1)
        return (1 - self._epsilon_greedy) * best + self._epsilon_greedy * mean


@gin.configurable
def expected_sarsa_agent(
    time_step_spec: ts.TimeStep,
    action_spec: types.BoundedTensorSpec,
    train_step: tf.Variable,
    network: Callable[..., tf_network.Network] = gin.REQUIRED,
    learning_rate: float = 0.1,
    gamma: float = 0.95,
    epsilon_greedy: float = 0.1,
) -> tf_agent.TFAgent:
    """Makes the agent; called once in each process.

    Args:
      time_step_spec: Of one unbatched time step, as TensorSpecs.
      action_spec: The same of an action.
      train_step: Counts gradient steps; the agent has to count with it.
      network: Makes the network of Q-values.
      learning_rate: Of Adam.
      gamma: Discount of future rewards.
      epsilon_greedy: ε of the policy that explores, and whose values are learned.
    """
    return ExpectedSarsaAgent(
        time_step_spec,
        action_spec,
        q_network=network(time_step_spec.observation, action_spec),
        optimizer=tf.keras.optimizers.Adam(learning_rate),
        epsilon_greedy=epsilon_greedy,
        target_update_period=20,
        gamma=gamma,
        train_step_counter=train_step,
    )
