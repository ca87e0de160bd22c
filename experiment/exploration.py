"""Collect policies, as factories `(agent, task, num_actors) -> TFPolicy`."""

from __future__ import annotations

from typing import Callable

import gin
from tf_agents.agents import tf_agent
from tf_agents.policies import epsilon_greedy_policy, tf_policy

from experiment.agents import OnPolicyAgent, checks
from experiment.errors import ConfigurationError, check_number

CollectPolicyFactory = Callable[[tf_agent.TFAgent, int, int], tf_policy.TFPolicy]


@gin.configurable
def agent_collect_policy(
    agent: tf_agent.TFAgent, task: int, num_actors: int
) -> tf_policy.TFPolicy:
    """The agent's own collect policy, the same in every actor."""
    del task, num_actors
    return agent.collect_policy


@gin.configurable
def epsilon_ladder(
    agent: tf_agent.TFAgent,
    task: int,
    num_actors: int,
    base: float = 0.4,
    exponent: float = 7.0,
) -> tf_policy.TFPolicy:
    """Each actor explores with an ε of its own, constant over time.

    ε_i = base^(1 + exponent · i / (N - 1)), as in Ape-X (Horgan et al., 2018,
    arXiv:1803.00933, section 4.1), where the defaults come from too. A lone actor
    takes the middle of the ladder; tasks beyond N start the ladder again. It takes the
    place of `dqn_agent.epsilon_greedy`, which then has no effect.

    Args:
      agent: An agent whose `policy` is greedy.
      task: Number of this actor.
      num_actors: N, the number of actors of the run.
      base: The largest ε, in [0, 1].
      exponent: How fast ε falls along the ladder.

    Returns:
      The ε-greedy policy of this actor.

    Raises:
      ConfigurationError: A value is out of range, or the agent is on-policy.
    """
    checks.check_discrete("epsilon_ladder", agent.action_spec)
    if isinstance(agent, OnPolicyAgent):
        raise ConfigurationError(
            f"Experiment.collect_policy is @epsilon_ladder, but {type(agent).__name__} "
            "learns from its own actions only; set it to @agent_collect_policy."
        )
    return epsilon_greedy_policy.EpsilonGreedyPolicy(
        agent.policy, epsilon=ladder_epsilon(task, num_actors, base, exponent)
    )


def ladder_epsilon(task: int, num_actors: int, base: float, exponent: float) -> float:
    """The ε of one actor on the ladder; see `epsilon_ladder`."""
    check_number("epsilon_ladder.base", base, at_least=0, at_most=1)
    check_number("epsilon_ladder.exponent", exponent, at_least=0)
    rung = (task % num_actors) / (num_actors - 1) if num_actors > 1 else 0.5
    return float(base ** (1 + exponent * rung))
