"""The loop of TF-Agents' tutorial "Train a Deep Q Network", without its evaluations.

https://www.tensorflow.org/agents/tutorials/1_dqn_tutorial
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import reverb
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.drivers import py_driver
from tf_agents.environments import py_environment, suite_gym
from tf_agents.policies import py_tf_eager_policy, random_tf_policy, tf_policy
from tf_agents.replay_buffers import reverb_replay_buffer, reverb_utils
from tf_agents.specs import tensor_spec
from tf_agents.train.utils import spec_utils
from tf_agents.utils import common

from experiment import agents, proxy

_ENVIRONMENT = "CartPole-v1"
_TABLE = "uniform_table"
_MAX_SIZE = 100_000
_INITIAL_COLLECT_STEPS = 100
_BATCH_SIZE = 64

# The first iterations build graphs and fill buffers, and are not measured.
_WARM_UP_ITERATIONS = 50


def run(seconds: float) -> float:
    """Collects and trains in turns.

    Args:
      seconds: To measure over, after a warm-up.

    Returns:
      Iterations a second, of one environment step and one update each.
    """
    loop = _loop()
    for _ in range(_WARM_UP_ITERATIONS):
        next(loop)
    iterations = 0
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < seconds:
        next(loop)
        iterations += 1
    return iterations / elapsed


def _loop() -> Iterator[None]:
    """The tutorial's code, in its order; yields after each iteration."""
    environment = suite_gym.load(_ENVIRONMENT)
    agent = _make_agent(environment)
    replay, observer = _make_replay(agent)
    random_policy = random_tf_policy.RandomTFPolicy(
        agent.time_step_spec, agent.action_spec
    )
    initial = _make_driver(environment, random_policy, observer, _INITIAL_COLLECT_STEPS)
    initial.run(environment.reset())
    dataset = replay.as_dataset(
        num_parallel_calls=3, sample_batch_size=_BATCH_SIZE, num_steps=2
    ).prefetch(3)
    iterator = iter(dataset)
    agent.train = common.function(agent.train)
    time_step = environment.reset()
    driver = _make_driver(environment, agent.collect_policy, observer, 1)
    while True:
        time_step, _ = driver.run(time_step)
        experience, _ = next(iterator)
        _ = agent.train(experience).loss
        _ = agent.train_step_counter.numpy()
        yield


def _make_agent(environment: py_environment.PyEnvironment) -> tf_agent.TFAgent:
    """The tutorial's agent, made by the project's factory."""
    _, action_spec, time_step_spec = spec_utils.get_tensor_specs(environment)
    agent = agents.dqn_agent(
        time_step_spec,
        action_spec,
        tf.Variable(0, dtype=tf.int64),
        # What the tutorial has, and the factory only on request.
        gamma=1.0,
        loss="squared",
    )
    agent.initialize()
    return agent


def _make_replay(
    agent: tf_agent.TFAgent,
) -> tuple[
    reverb_replay_buffer.ReverbReplayBuffer,
    reverb_utils.ReverbAddTrajectoryObserver,
]:
    """A server in this process, and what reads and writes its table."""
    proxy.bypass("localhost")
    table = reverb.Table(
        _TABLE,
        max_size=_MAX_SIZE,
        sampler=reverb.selectors.Uniform(),
        remover=reverb.selectors.Fifo(),
        rate_limiter=reverb.rate_limiters.MinSize(1),
        signature=tensor_spec.add_outer_dim(
            tensor_spec.from_spec(agent.collect_data_spec)
        ),
    )
    replay = reverb_replay_buffer.ReverbReplayBuffer(
        agent.collect_data_spec,
        table_name=_TABLE,
        sequence_length=2,
        local_server=reverb.Server([table]),
    )
    observer = reverb_utils.ReverbAddTrajectoryObserver(
        replay.py_client, _TABLE, sequence_length=2
    )
    return replay, observer


def _make_driver(
    environment: py_environment.PyEnvironment,
    policy: tf_policy.TFPolicy,
    observer: reverb_utils.ReverbAddTrajectoryObserver,
    max_steps: int,
) -> py_driver.PyDriver:
    return py_driver.PyDriver(
        environment,
        py_tf_eager_policy.PyTFEagerPolicy(policy, use_tf_function=True),
        [observer],
        max_steps=max_steps,
    )
