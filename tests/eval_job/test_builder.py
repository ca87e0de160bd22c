"""eval_job/builder.py: the judge of a run that was joined."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.experimental.distributed import reverb_variable_container

from eval_job import builder, returns_file
from experiment import definition
from experiment.definition import Experiment
from experiment.settings import Evaluation
from reverb_server import replay_layout, tables
from tests.actor.served_run import ServedRun, serve

CARTPOLE = """
gym_environment.name = 'CartPole-v1'
q_network.layers = (8,)
Replay.samples_per_insert = None
Replay.transitions_per_item = 4
Evaluation.episodes = 2
"""
TWELVE = Evaluation(episodes=12)


@pytest.fixture
def experiment() -> Experiment:
    """CartPole with a tiny network."""
    return definition.load_text(CARTPOLE)


@pytest.fixture
def run(experiment: Experiment, tmp_path: Path) -> Iterator[ServedRun]:
    """A run with seed 5."""
    with serve(experiment, tmp_path, seed=5) as served:
        yield served


def insert_items(run: ServedRun, experiment: Experiment, count: int) -> None:
    """Fills the replay table with items of which nobody reads the content."""
    agent, _ = experiment.make_agent(experiment.environment())
    signature = replay_layout.replay_layout(agent, experiment.replay).signature
    for _ in range(count):
        item = np.zeros(signature.shape, np.uint8)
        run.server.client.insert([item], {tables.REPLAY: 1.0})


def test_rows_tell_of_the_transitions_of_the_run(
    experiment: Experiment, run: ServedRun, tmp_path: Path
) -> None:
    """All that were inserted before; the settings given win over the experiment's."""
    insert_items(run, experiment, 3)
    judge, _ = builder.build(experiment, TWELVE, run.join("eval_job"), tmp_path)
    row = judge.judge(0)
    assert row.env_steps == 3 * 4
    assert row.episodes == 12
    assert returns_file.read(tmp_path / "eval" / "returns.csv") == [row]


def test_the_variables_are_those_of_the_agent_that_is_judged(
    experiment: Experiment, run: ServedRun, tmp_path: Path
) -> None:
    """Constant Q-values make it always push one way, and the pole falls at once."""
    judge, variables = builder.build(experiment, TWELVE, run.join("eval_job"), tmp_path)
    weights = variables[reverb_variable_container.POLICY_KEY]
    for action in (0, 1):
        for weight in weights:
            weight.assign(tf.zeros_like(weight))
        weights[-1].assign(tf.one_hot(action, 2))
        row = judge.judge(action)
        assert 8 <= row.min_return <= row.max_return <= 11


def test_the_same_seed_gives_the_same_returns(
    experiment: Experiment, run: ServedRun, tmp_path: Path
) -> None:
    """Of the random policy, and of the untrained weights; another seed gives others."""
    member = run.join("eval_job")
    figures = []
    for number, seed in enumerate((5, 5, 6)):
        member.manifest = dataclasses.replace(member.manifest, seed=seed)
        folder = tmp_path / str(number)
        judge, _ = builder.build(experiment, TWELVE, member, folder)
        judge.judge_random_policy()
        judge.judge(0)
        kept = [
            returns_file.read(folder / "eval" / name)
            for name in ("random_policy.csv", "returns.csv")
        ]
        figures.append([(row.average_return, row.std_return) for [row] in kept])
    assert figures[0] == figures[1]
    assert figures[0][0] != figures[2][0]
    assert figures[0][1] != figures[2][1]
