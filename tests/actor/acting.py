"""A collector in scripted environments, with a real replay table to look into."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import portpicker
import pytest
import reverb
from tf_agents.policies import fixed_policy

from actor.collector import Collector
from experiment.definition import Experiment
from experiment.environments import EnvironmentBatch
from experiment.settings import Replay
from reverb_server import replay_layout
from reverb_server.replay_layout import ReplayLayout
from reverb_server.replay_writer import ReplayWriter
from tests.eval_job.scripted_environment import ScriptedEnvironment
from tests.reverb_server.episodes import queue, take

# The policy that is to be told from the random one always takes this action.
COLLECT_ACTION = 1


class Transition(NamedTuple):
    """What the replay table says of one transition."""

    reward: float
    time: int
    next_time: int
    action: int
    policy_train_step: int


class Weights:
    """Acting weights of a train step that the test sets."""

    train_step = 40


@dataclasses.dataclass(frozen=True)
class Acting:
    """A collector, and all that it has to do with."""

    collector: Collector
    environments: Sequence[ScriptedEnvironment]
    weights: Weights
    writer: ReplayWriter
    client: reverb.Client
    layout: ReplayLayout

    def transitions(self) -> list[Transition]:
        """Takes all that was written out of the table, in order."""
        items = self.writer.transitions // self.layout.windows_per_item
        return [
            Transition(
                reward=float(step.trajectory.reward[0]),
                time=int(step.trajectory.observation[0, 0]),
                next_time=int(step.trajectory.observation[1, 0]),
                action=int(step.trajectory.action[0]),
                policy_train_step=int(step.policy_train_step[0]),
            )
            for step in take(self.client, self.layout, items)
        ]


class Act(Protocol):
    """Makes a collector over environments that play these episodes."""

    def __call__(
        self, *episodes: Sequence[Sequence[float]], random_steps: int = 0
    ) -> Acting:
        """Args: for each environment its episodes; the last one is repeated."""


@pytest.fixture
def act() -> Iterator[Act]:
    """Four transitions travel together."""
    servers = []

    def make(*episodes: Sequence[Sequence[float]], random_steps: int = 0) -> Acting:
        environments = [
            ScriptedEnvironment(itertools.chain(own, itertools.repeat(own[-1])))
            for own in episodes
        ]
        # One that is made anew repeats its last episode.
        batch = EnvironmentBatch(
            environments,
            lambda: ScriptedEnvironment(itertools.repeat(episodes[0][-1])),
        )
        agent, _ = Experiment().make_agent(batch)
        layout = replay_layout.replay_layout(
            agent, Replay(transitions_per_item=4, batch_size=4)
        )
        port = portpicker.pick_unused_port()
        servers.append(reverb.Server([queue(layout)], port=port))
        client = reverb.Client(f"localhost:{port}")
        writer = ReplayWriter(client, layout, len(environments), lambda: True)
        weights = Weights()
        policy = fixed_policy.FixedPolicy(
            np.int64(COLLECT_ACTION),
            agent.time_step_spec,
            agent.action_spec,
            emit_log_probability=False,
        )
        collector = Collector(batch, agent, policy, writer, weights, random_steps)
        return Acting(collector, environments, weights, writer, client, layout)

    yield make
    for server in servers:
        server.stop()
