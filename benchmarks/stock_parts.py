"""What the processes of TF-Agents' stock wiring have in common: agent and tables."""

from __future__ import annotations

import json

import reverb
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.environments import py_environment, suite_gym
from tf_agents.experimental.distributed import reverb_variable_container
from tf_agents.replay_buffers import reverb_replay_buffer, reverb_utils
from tf_agents.specs import tensor_spec
from tf_agents.train.utils import spec_utils, train_utils
from tf_agents.typing import types

from experiment import agents

TABLE = reverb_replay_buffer.DEFAULT_TABLE
VARIABLES = reverb_variable_container.DEFAULT_TABLE
BATCH_SIZE = 64
MIN_SIZE_TO_SAMPLE = 1000

_MAX_SIZE = 100_000


def make_environment() -> py_environment.PyEnvironment:
    """As TF-Agents loads it: gym's own time limit stays inside."""
    return suite_gym.load("CartPole-v1")


def make_agent() -> tuple[tf_agent.TFAgent, tf.Variable]:
    """The project's own DQN agent for a stock environment, and its train step."""
    train_step = train_utils.create_train_step()
    _, action_spec, time_step_spec = spec_utils.get_tensor_specs(make_environment())
    return agents.dqn_agent(time_step_spec, action_spec, train_step), train_step


def variables_of(
    agent: tf_agent.TFAgent, train_step: tf.Variable
) -> types.NestedVariable:
    """What travels from the learner to the actors."""
    return {
        reverb_variable_container.POLICY_KEY: agent.collect_policy.variables(),
        reverb_variable_container.TRAIN_STEP_KEY: train_step,
    }


def make_tables() -> list[reverb.Table]:
    """The tables of the example: experience, and the newest weights."""
    agent, train_step = make_agent()
    return [
        reverb.Table(
            name=TABLE,
            sampler=reverb.selectors.Uniform(),
            remover=reverb.selectors.Fifo(),
            rate_limiter=reverb.rate_limiters.MinSize(MIN_SIZE_TO_SAMPLE),
            max_size=_MAX_SIZE,
            max_times_sampled=0,
            signature=tensor_spec.add_outer_dim(
                tensor_spec.from_spec(agent.collect_data_spec)
            ),
        ),
        reverb.Table(
            name=VARIABLES,
            sampler=reverb.selectors.Uniform(),
            remover=reverb.selectors.Fifo(),
            rate_limiter=reverb.rate_limiters.MinSize(1),
            max_size=1,
            max_times_sampled=0,
            signature=tf.nest.map_structure(
                lambda variable: tf.TensorSpec(variable.shape, dtype=variable.dtype),
                variables_of(agent, train_step),
            ),
        ),
    ]


def make_observer(address: str) -> reverb_utils.ReverbAddTrajectoryObserver:
    """What writes each pair of steps as one item."""
    return reverb_utils.ReverbAddTrajectoryObserver(
        reverb.Client(address), table_name=TABLE, sequence_length=2, stride_length=1
    )


def make_replay(
    address: str, agent: tf_agent.TFAgent
) -> reverb_replay_buffer.ReverbReplayBuffer:
    """What reads the items of the server at host:port."""
    return reverb_replay_buffer.ReverbReplayBuffer(
        agent.collect_data_spec,
        sequence_length=2,
        table_name=TABLE,
        server_address=address,
    )


def make_container(address: str) -> reverb_variable_container.ReverbVariableContainer:
    """What pushes and pulls weights at host:port."""
    return reverb_variable_container.ReverbVariableContainer(
        address, table_names=[VARIABLES]
    )


def report(**figures: float) -> None:
    """Prints figures for whoever measures."""
    print(json.dumps(figures), flush=True)
