"""A judge whose every evaluation is one scripted episode."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.typing import types

from eval_job import builder, returns_file
from eval_job.judge import Judge
from eval_job.returns_file import Row
from experiment import run_dir
from experiment.definition import Experiment
from experiment.manifest import Manifest
from experiment.settings import Evaluation, Replay
from reverb_server import tables
from tests.eval_job.scripted_environment import ScriptedEnvironment


@dataclasses.dataclass(frozen=True)
class Judged:
    """A judge, and what it has to do with."""

    judge: Judge
    environment: ScriptedEnvironment
    experiment: Experiment
    agent: tf_agent.TFAgent
    train_step: tf.Variable
    root_dir: Path
    reports: list[tuple[int, float]]

    @property
    def rows(self) -> list[Row]:
        """The evaluations kept so far."""
        return returns_file.read(self.root_dir / run_dir.RETURNS)

    @property
    def baseline(self) -> list[Row]:
        """The evaluations of the random policy kept so far."""
        return returns_file.read(self.root_dir / run_dir.RANDOM_RETURNS)

    @property
    def variables(self) -> types.NestedVariable:
        """Those that travel."""
        return tables.weights_of(self.agent, self.train_step)


class MakeJudge(Protocol):
    """Makes a judge; each of its evaluations earns the next of these returns."""

    def __call__(
        self,
        returns: Iterable[float],
        target: float | None = None,
        picture: tuple[int, int] | None = None,
        length: int = 1,
        video_interval: int | None = None,
    ) -> Judged:
        """Args: the returns, the target, the size of the picture, steps an episode.

        And train steps between two videos.
        """


def manifest(root_dir: Path) -> Manifest:
    """Of a run that has just begun."""
    return Manifest.new(
        gin_file="test.gin",
        gin_text="",
        root_dir=str(root_dir),
        seed=0,
        num_actors=2,
        resumed=False,
    )


@pytest.fixture
def make_judge(tmp_path: Path) -> MakeJudge:
    """All judges that it makes share the folder of the run."""

    def make(
        returns: Iterable[float],
        target: float | None = None,
        picture: tuple[int, int] | None = None,
        length: int = 1,
        video_interval: int | None = None,
    ) -> Judged:
        episodes = ([0.0] * (length - 1) + [earned] for earned in returns)
        environment = ScriptedEnvironment(episodes, picture)
        experiment = Experiment(
            environment=lambda: environment,
            replay=Replay(samples_per_insert=None),
        )
        agent, train_step = experiment.make_agent(environment)
        reports: list[tuple[int, float]] = []
        judge = Judge(
            experiment.environment,
            agent,
            Evaluation(
                episodes=1,
                target_return=target,
                video_interval_train_steps=video_interval,
            ),
            manifest(tmp_path),
            tmp_path,
            env_steps=lambda: 1000 * environment.begun,
            seed=np.random.SeedSequence(0),
            recorder=builder.recorder(experiment, np.random.SeedSequence(1)),
            report=lambda **row: reports.append(
                (row["train_step"], row["average_return"])
            ),
        )
        return Judged(
            judge, environment, experiment, agent, train_step, tmp_path, reports
        )

    return make
