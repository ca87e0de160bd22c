"""Networks, as factories `(observation_spec, action_spec) -> Network`.

Importing this package makes all of them known to gin.
"""

from __future__ import annotations

from typing import Callable

from tf_agents.networks import network
from tf_agents.typing import types

from experiment.networks.categorical_actor_network import categorical_actor_network
from experiment.networks.categorical_q_network import categorical_q_network
from experiment.networks.critic_network import critic_network
from experiment.networks.deterministic_actor_network import deterministic_actor_network
from experiment.networks.q_network import q_network
from experiment.networks.recurrent_q_network import recurrent_q_network
from experiment.networks.stochastic_actor_network import stochastic_actor_network
from experiment.networks.value_network import value_network

__all__ = [
    "NetworkFactory",
    "categorical_actor_network",
    "categorical_q_network",
    "critic_network",
    "deterministic_actor_network",
    "q_network",
    "recurrent_q_network",
    "stochastic_actor_network",
    "value_network",
]

NetworkFactory = Callable[
    [types.NestedTensorSpec, types.NestedTensorSpec], network.Network
]
