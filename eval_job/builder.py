"""Builds the eval job's parts from the run's experiment."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tf_agents.typing import types

from eval_job.judge import Judge
from eval_job.recorder import Recorder
from experiment import seeding
from experiment.definition import Experiment
from experiment.idle import IdleLimit
from experiment.settings import Evaluation
from reverb_server import priorities, tables
from reverb_server.membership import Membership
from reverb_server.weights import WeightsPuller


def settings(experiment: Experiment, target_return: float | None) -> Evaluation:
    """How to judge; a target return that is given wins over the experiment's."""
    if target_return is None:
        return experiment.evaluation
    return dataclasses.replace(experiment.evaluation, target_return=target_return)


def idle_limit(run: Membership, weights: WeightsPuller) -> IdleLimit:
    """Whether to go on: until the run ends, or no weights come for half an hour."""
    return IdleLimit(
        run.is_running,
        lambda: weights.newest_train_step,
        "newer weights: see the learner's log",
    )


def recorder(experiment: Experiment, seed: np.random.SeedSequence) -> Recorder:
    """Of videos of the experiment's environment, with an agent of its own."""
    return Recorder(
        experiment.environment,
        lambda: experiment.make_agent(experiment.environment())[0],
        seed,
    )


def build(
    experiment: Experiment,
    settings: Evaluation,
    run: Membership,
    root_dir: Path,
    life: Sequence[int] = (),
) -> tuple[Judge, types.NestedVariable]:
    """Builds the agent to be judged, and who judges it.

    Args:
      experiment: What is learned.
      settings: How to judge; may differ from the experiment's by flags.
      run: The run this job has joined.
      root_dir: Folder of the run.
      life: Of this eval job, see `seeding.life_of`.

    Returns:
      The judge, and the variables of the agent that it judges.
    """
    seed = seeding.seed_role(run.manifest.seed, "eval_job", life=life)
    agent, train_step = experiment.make_agent(experiment.environment())
    items = experiment.replay.env_steps_per_item
    judge = Judge(
        experiment.environment,
        agent,
        settings,
        run.manifest,
        root_dir,
        env_steps=lambda: run.env_steps(items),
        seed=seed,
        recorder=recorder(experiment, seed.spawn(1)[0]),
        report=run.report,
    )
    largest = priorities.largest_priority(experiment.replay)
    return judge, tables.weights_of(agent, train_step, largest)
