"""Agents, as factories `(time_step_spec, action_spec, train_step) -> TFAgent`.

Each module has one family; importing this package makes all of them known to gin.
"""

from __future__ import annotations

from typing import Callable

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment.agents.categorical_dqn import categorical_dqn_agent
from experiment.agents.ddpg import ddpg_agent
from experiment.agents.dqn import dqn_agent
from experiment.agents.on_policy import OnPolicyAgent
from experiment.agents.ppo import ppo_agent
from experiment.agents.sac import sac_agent
from experiment.agents.td3 import td3_agent

__all__ = [
    "AgentFactory",
    "OnPolicyAgent",
    "categorical_dqn_agent",
    "ddpg_agent",
    "dqn_agent",
    "ppo_agent",
    "sac_agent",
    "td3_agent",
]

AgentFactory = Callable[
    [ts.TimeStep, types.NestedTensorSpec, tf.Variable], tf_agent.TFAgent
]
