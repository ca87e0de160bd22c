"""What an agent does when it does not explore."""

from __future__ import annotations

from tf_agents.agents import tf_agent
from tf_agents.policies import greedy_policy as tf_greedy_policy


def greedy_policy(agent: tf_agent.TFAgent) -> tf_greedy_policy.GreedyPolicy:
    """The agent's policy without chance: TF-Agents leaves that of SAC stochastic."""
    policy = agent.policy
    if isinstance(policy, tf_greedy_policy.GreedyPolicy):
        return policy
    return tf_greedy_policy.GreedyPolicy(policy)
