"""A benchmark of seconds: acting, the replay table and learning, one by one.

In one process, so each has the machine to itself; `benchmarks/` measures them together.
"""

from __future__ import annotations

import collections
import itertools
import time
from typing import Any, Callable

import numpy as np
import reverb
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.drivers import py_driver
from tf_agents.trajectories import trajectory

from experiment import environments
from experiment.batched_policy import BatchedPolicy
from experiment.definition import Experiment
from launch.doctor.finding import OK, Finding
from learner.compiled_agent import CompiledAgent
from reverb_server import address as address_lib
from reverb_server import port as port_lib
from reverb_server import tables
from reverb_server.rate_limiter import STACK
from reverb_server.replay_dataset import replay_dataset
from reverb_server.replay_layout import ReplayLayout
from reverb_server.replay_writer import ReplayWriter

# Seconds to measure each of the four figures over.
_SECONDS = 1.25

# Rounds of the environments kept to be written again and again, and transitions in the
# table.
_ROUNDS = 64
_TABLE_SIZE = 10_000

_CONNECT_TIMEOUT_S = 20


class Benchmark:
    """What is measured first is the material of what comes later."""

    def __init__(
        self, experiment: Experiment, agent: tf_agent.TFAgent, layout: ReplayLayout
    ) -> None:
        """Starts nothing yet.

        Args:
          experiment: What is learned.
          agent: Of the experiment.
          layout: Of its replay table.
        """
        self._experiment = experiment
        self._agent = agent
        self._layout = layout
        self._rounds: collections.deque[trajectory.Trajectory] = collections.deque(
            maxlen=_ROUNDS
        )
        self._stack: Any = None

    def act(self) -> Finding:
        """Environments and collect policy, as in one actor; nothing is written."""
        count = self._experiment.collect.envs_per_actor
        environment = environments.batched(
            self._experiment.environment, count, np.random.SeedSequence(0)
        )
        policy = BatchedPolicy(self._experiment.collect_policy(self._agent, 0, 1))
        driver = py_driver.PyDriver(
            environment, policy, [self._rounds.append], max_steps=_ROUNDS * count
        )
        state = environment.reset(), policy.get_initial_state(count)

        def act() -> int:
            nonlocal state
            state = driver.run(*state)
            return _ROUNDS * count

        rate = _rate(act)
        text = f"{rate:,.0f} env steps/s in one process, {count} environments"
        return Finding(OK, "acting", text)

    def replay(self) -> Finding:
        """Writes to a server of its own, then samples from it."""
        holder, port = port_lib.reserve(None)
        with holder:
            server = reverb.Server([self._table()], port=port)
            address = f"localhost:{port}"
            client, _ = address_lib.connect(address, lambda: False, _CONNECT_TIMEOUT_S)
            inserted = self._insert(client)
            sampled = self._sample(address)
            server.stop()
        text = f"{inserted:,.0f} transitions/s inserted, {sampled:,.0f}/s sampled"
        return Finding(OK, "replay", text)

    def _table(self) -> reverb.Table:
        return reverb.Table(
            tables.REPLAY,
            sampler=reverb.selectors.Uniform(),
            remover=reverb.selectors.Fifo(),
            max_size=_TABLE_SIZE // self._layout.windows_per_item,
            rate_limiter=reverb.rate_limiters.MinSize(1),
            signature={"steps": self._layout.signature},
        )

    def _insert(self, client: reverb.Client) -> float:
        count = self._experiment.collect.envs_per_actor
        writer = ReplayWriter(client, self._layout, count, lambda: True)
        rounds = itertools.cycle(self._rounds)

        def insert() -> int:
            before = writer.transitions
            for _ in range(_ROUNDS):
                writer(next(rounds))
            return writer.transitions - before

        return _rate(insert)

    def _sample(self, address: str) -> float:
        """And keeps what the learner needs for one call."""
        replay, train = self._experiment.replay, self._experiment.train
        stacks = iter(replay_dataset(address, self._layout, replay.batch_size))
        wanted = -(-train.steps_per_call // STACK)
        kept = [next(stacks)[0] for _ in range(wanted)]
        self._stack = tf.nest.map_structure(lambda *parts: tf.concat(parts, 0), *kept)

        def sample() -> int:
            next(stacks)
            return STACK * replay.batch_size

        return _rate(sample)

    def learn(self) -> Finding:
        """Gradient steps of the agent, on batches that do not change."""
        compiled = CompiledAgent(self._agent, self._experiment.train.jit_compile)
        steps = len(tf.nest.flatten(self._stack)[0])

        def learn() -> int:
            compiled.train(self._stack)
            return steps

        rate = _rate(learn)
        text = f"{rate:,.0f} gradient steps/s, batches ready-made"
        return Finding(OK, "learning", text)


def _rate(work: Callable[[], int]) -> float:
    """What some work comes to in a second, after it was done once.

    Args:
      work: Returns how much it did.
    """
    work()
    start, done = time.monotonic(), 0
    while time.monotonic() - start < _SECONDS:
        done += work()
    return done / (time.monotonic() - start)
