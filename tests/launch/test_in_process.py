"""launch/in_process.py: all roles taking turns, in the process of the tests."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
import tensorflow as tf

from eval_job import returns_file
from experiment import environments, run_dir, seeding
from launch import in_process
from launch.in_process import InProcessRun
from reverb_server import figures
from tests.launch.a_run import options
from tests.reverb_server.run_for_tests import StopByHand

BATCH_SIZE, ENVS = 8, 4

BINDINGS = (
    "q_network.layers = (8,)",
    "Replay.transitions_per_item = 4",
    f"Replay.batch_size = {BATCH_SIZE}",
    "Replay.min_size_to_sample = 16",
    f"Collect.envs_per_actor = {ENVS}",
    "Collect.initial_collect_steps = 16",
    "Evaluation.episodes = 1",
    "Evaluation.target_return = None",
    "gym_environment.max_episode_steps = 30",
)

# The table needs 4 items of 4, one more waits in the writer, and the first step of
# each environment makes no transition.
FIRST_TRANSITIONS = 16


class Start(Protocol):
    """Makes a small run."""

    def __call__(
        self, *bindings: str, seed: int = 0, folder: str = "run", resume: bool = False
    ) -> InProcessRun:
        """Args: gin bindings beyond those above, and options."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """All runs end with the test; one that is resumed has ended before."""
    with contextlib.ExitStack() as stack:

        def make(
            *bindings: str, seed: int = 0, folder: str = "run", resume: bool = False
        ) -> InProcessRun:
            if resume:
                stack.close()
            (tmp_path / folder).mkdir(exist_ok=True)
            started_with = options(
                tmp_path / folder,
                num_actors=1,
                gin_bindings=[*([] if resume else BINDINGS), *bindings],
                seed=None if resume else seed,
                in_process=True,
                resume=resume,
            )
            run = InProcessRun(started_with, lambda: True)
            stack.callback(run.close)
            return run

        yield make


def test_updates_follow_the_environment_steps_exactly(start: Start) -> None:
    """In each turn: so many samples for each transition, rounded down to batches."""
    ratio, last = 3, 60
    run = start(
        f"Replay.samples_per_insert = {ratio}", f"Train.max_train_steps = {last}"
    )
    counted = 0
    while not run.is_done:
        before, steps = run.collector.transitions, run.collector.env_steps
        run.take_turn()
        assert 1 <= run.collector.env_steps - steps <= ENVS
        taken = run.collector.transitions - before
        counted += taken if before >= FIRST_TRANSITIONS else 0
        due = math.floor(ratio * counted / BATCH_SIZE)
        assert run.trainer.train_step == min(due, last)
    run.take_turn()
    assert run.trainer.train_step == last


def test_those_who_act_are_exact_and_have_the_weights_in_training(start: Start) -> None:
    """Though the learner's layers are mixed."""
    run = start("Train.mixed_precision = True", "Train.jit_compile = False")
    while run.trainer.train_step < 2:
        run.take_turn()
    acting, step = run._learning.exact
    assert acting is not run.trainer.agent
    assert acting._q_network.layers[0].compute_dtype == "float32"
    assert int(step) == run.trainer.train_step
    pairs = zip(acting.policy.variables(), run.trainer.agent.policy.variables())
    for own, trained in pairs:
        np.testing.assert_array_equal(own, trained)


def test_each_role_has_its_figures(start: Start, tmp_path: Path) -> None:
    """As if they were processes of their own."""
    run = start("Train.max_train_steps = 4")
    while not run.is_done:
        run.take_turn()
    run.evaluate()
    run.report()
    lines = (tmp_path / "run" / run_dir.METRICS).read_text().splitlines()
    rows = {row["role"]: row for row in map(json.loads, lines)}
    assert set(rows) == set(figures.PROCESSES)
    assert rows["learner"]["train_step"] == rows["reverb_server"]["train_step"] == 4
    assert rows["actor"]["env_steps"] == run.collector.env_steps
    assert rows["eval_job"]["train_step"] == 4
    assert all(row["memory_mb"] > 0 for row in rows.values())


def weights_of(run: InProcessRun) -> np.ndarray:
    """All of them, as one vector."""
    variables = tf.nest.flatten(run.trainer.weights)[:-1]
    return np.concatenate([variable.numpy().ravel() for variable in variables])


def test_the_seed_decides_on_weights_and_environments(start: Start) -> None:
    """As long as nothing was sampled: Reverb's sampler has no seed."""
    weights, seen = [], []
    for folder in ("one", "two"):
        run = start(seed=5, folder=folder)
        weights.append(weights_of(run))
        for _ in range(5):
            run.take_turn()
            seen.append(run.collector._time_step.observation)
        assert run.trainer.train_step == 0
        np.testing.assert_array_equal(weights_of(run), weights[-1])
    np.testing.assert_array_equal(weights[0], weights[1])
    np.testing.assert_array_equal(seen[:5], seen[5:])
    assert len(np.unique(np.array(seen[0]), axis=0)) == ENVS
    # Another seed is another run.
    other = seeding.seed_role(6, "in_process")
    agent, _ = run._experiment.make_agent(run._experiment.environment())
    first = agent.policy.variables()[0].numpy().ravel()
    assert not np.isin(first, weights[0]).any()
    environment = environments.batched(
        run._experiment.environment, ENVS, other.spawn(1)[0]
    )
    assert not np.isin(environment.reset().observation, seen[0]).any()


def test_a_run_without_a_ratio_is_judged_at_multiples_and_can_go_on(
    start: Start, tmp_path: Path
) -> None:
    """A resumed one keeps weights, settings and record, and takes no random steps."""
    first = start(
        "Replay.samples_per_insert = None",
        "Train.max_train_steps = 28",
        "Evaluation.interval_train_steps = 10",
        seed=9,
    )
    while first.collector.transitions < FIRST_TRANSITIONS:
        first.take_turn()
    assert first.trainer.train_step == 0
    assert first.server.manifest.in_process
    assert in_process._drive(first, StopByHand(), lambda: None) == "max_train_steps"
    returns = tmp_path / "run" / run_dir.RETURNS
    rows = returns_file.read(returns)
    assert [row.train_step for row in rows] == [0, 10, 20, 28]
    # One update a turn, in which at least one environment took a step.
    env_steps = [row.env_steps for row in rows]
    for earlier, later, turns in zip(env_steps, env_steps[1:], (10, 10, 8)):
        assert turns <= later - earlier <= turns * ENVS
    first.trainer.save()

    resumed = start("Evaluation.target_return = 1.0", resume=True)
    np.testing.assert_array_equal(weights_of(resumed), weights_of(first))
    assert resumed.trainer.train_step == 28
    assert resumed.is_done
    assert not resumed.collector.is_random
    # Any return of trained weights reaches this target.
    assert in_process._drive(resumed, StopByHand(), lambda: None) == "target_reached"
    steps = [row.train_step for row in returns_file.read(returns)]
    assert steps == [0, 10, 20, 28, 28, 28]
    assert len(returns_file.read(tmp_path / "run" / run_dir.RANDOM_RETURNS)) == 1


def test_a_run_that_was_interrupted_learns_on_from_what_it_has_stored(
    start: Start,
) -> None:
    """The restored replay table is not filled again before the next update."""
    first = start("Replay.min_size_to_sample = 200")
    while not first.trainer.train_step:
        first.take_turn()
    first.trainer.save()
    train_step = first.trainer.train_step
    env_steps = first.server.env_steps()
    resumed = start(resume=True)
    assert resumed.trainer.train_step == train_step
    assert resumed.server.replay_size() == resumed.server.env_steps() == env_steps
    for _ in range(10):
        resumed.take_turn()
    assert resumed.trainer.train_step > train_step
    assert resumed.server.env_steps() > env_steps
