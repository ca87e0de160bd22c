"""A small run for a learner, with real transitions in its replay table."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from actor.collector import Collector
from experiment import definition, environments
from experiment.definition import Experiment
from learner import builder
from learner.publisher import Publisher
from learner.trainer import Trainer
from reverb_server import replay_layout, tables
from reverb_server.replay_writer import ReplayWriter
from tests.actor.served_run import ServedRun, serve
from tests.learner.tap import Tap

BATCH_SIZE = 8

CARTPOLE = f"""
gym_environment.name = 'CartPole-v1'
q_network.layers = (8,)
Replay.samples_per_insert = None
Replay.min_size_to_sample = {BATCH_SIZE}
Replay.batch_size = {BATCH_SIZE}
Replay.transitions_per_item = 4
Collect.envs_per_actor = 4
Collect.initial_collect_steps = {BATCH_SIZE}
Train.summary_interval = 5
Train.steps_per_call = 4
"""


class Weights:
    """Acting weights of one train step."""

    def __init__(self, train_step: int) -> None:
        self.train_step = train_step


@dataclasses.dataclass(frozen=True)
class Learning:
    """A run, and what its learner is made of."""

    run: ServedRun
    experiment: Experiment
    root_dir: Path

    def build(self, strategy: tf.distribute.Strategy | None = None) -> Trainer:
        """As the learner's process does; a second one is that of a resumed run."""
        trainer = builder.build(
            self.experiment,
            self.run.join("learner"),
            self.root_dir,
            strategy or tf.distribute.get_strategy(),
        )
        self.run.members.callback(trainer.close)
        return trainer

    def publications(self) -> int:
        """How often the server was given weights."""
        limiter = self.run.info(tables.VARIABLES).rate_limiter_info
        return int(limiter.insert_stats.completed)

    def fill(self, policy_train_step: int | None = None, steps: int = 200) -> None:
        """Collects; by the random policy, or by one that claims this train step."""
        envs = self.experiment.collect.envs_per_actor
        environment = environments.batched(
            self.experiment.environment, envs, np.random.SeedSequence(0)
        )
        agent, _ = self.experiment.make_agent(environment)
        layout = replay_layout.replay_layout(agent, self.experiment.replay)
        collector = Collector(
            environment,
            agent,
            agent.collect_policy,
            ReplayWriter(self.run.server.client, layout, envs, lambda: True),
            Weights(0 if policy_train_step is None else policy_train_step),
            random_steps=steps if policy_train_step is None else 0,
        )
        collector.run(steps)


@contextlib.contextmanager
def _learn(root_dir: Path) -> Iterator[Learning]:
    experiment = definition.load_text(CARTPOLE)
    with serve(experiment, root_dir) as run:
        yield Learning(run, experiment, root_dir)


@pytest.fixture
def learning(tmp_path: Path) -> Iterator[Learning]:
    """A run of which the replay table is empty."""
    with _learn(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Learning]:
    """A run for all tests of a module; all its experience is of train step 0."""
    with _learn(tmp_path_factory.mktemp("fed")) as made:
        made.fill(policy_train_step=0)
        yield made


@pytest.fixture(scope="module")
def _built(fed: Learning) -> Trainer:
    return fed.build()


@pytest.fixture
def trainer(fed: Learning, _built: Trainer) -> Trainer:
    """Of the run above; some test may have trained it before. It is dear to build."""
    # Seeding another learner in this process makes a Reverb client useless.
    _built.publisher = Publisher(fed.run.address)
    return _built


def run_until(trainer: Trainer, train_step: int) -> None:
    """Trains to exactly this step."""
    for _ in range(1_000):
        if trainer.train_step == train_step:
            return
        trainer.run(min(train_step - trainer.train_step, 4))
    pytest.fail(f"stuck at train step {trainer.train_step}")


@pytest.fixture
def tap() -> Iterator[Tap]:
    """Open after the test."""
    made = Tap()
    yield made
    made.open()
