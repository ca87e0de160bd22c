"""learner/window_queue.py: batches of the present weights' windows, from a server."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from actor.collector import Collector
from experiment import environments
from learner import builder
from learner import train as train_lib
from learner.trainer import Trainer
from learner.window_queue import WindowQueue
from reverb_server import replay_layout, tables
from reverb_server.replay_writer import ReplayWriter
from tests.actor.on_policy_run import GRADIENT_STEPS, LENGTH, WINDOWS, load
from tests.actor.served_run import ServedRun, serve
from tests.learner.conftest import Weights

DEADLINE_S = 20.0


class Actor:
    """Collects one window of each environment with weights of any train step."""

    def __init__(self, run: ServedRun) -> None:
        experiment = load()
        environment = environments.batched(
            experiment.environment, WINDOWS, np.random.SeedSequence(0)
        )
        agent, _ = experiment.make_agent(environment)
        layout = replay_layout.replay_layout(agent, experiment.replay)
        self._writer = ReplayWriter(run.server.client, layout, WINDOWS, lambda: True)
        self._weights = Weights(0)
        self._collector = Collector(
            environment,
            agent,
            agent.collect_policy,
            self._writer,
            self._weights,
            random_steps=0,
        )

    def collect(self, train_step: int) -> None:
        """Takes exactly one more window of each environment."""
        self._weights.train_step = train_step
        wanted = self._writer.transitions + WINDOWS * LENGTH
        while self._writer.transitions < wanted:
            self._collector.run(max_steps=1)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[ServedRun]:
    """Without actors yet."""
    with serve(load(), tmp_path / "run") as served:
        yield served


@pytest.fixture
def trainer(run: ServedRun, tmp_path: Path) -> Iterator[Trainer]:
    """At train step 0."""
    built = builder.build(
        load(), run.join("learner"), tmp_path / "run", tf.distribute.get_strategy()
    )
    with contextlib.closing(built):
        yield built


def test_only_windows_of_the_present_weights_are_trained_on(
    run: ServedRun, trainer: Trainer
) -> None:
    """Older and newer ones are dropped and counted; each window is trained on once."""
    actor = Actor(run)
    assert isinstance(trainer.batches, WindowQueue)
    for train_step in (7, 0, 0, GRADIENT_STEPS):
        actor.collect(train_step)
    assert trainer.batches.wait(1, DEADLINE_S)
    steps, info = next(trainer.batches)
    assert steps.reward.shape == (1, WINDOWS, LENGTH + 1)
    np.testing.assert_array_equal(info.policy_train_step, np.zeros([1, WINDOWS]))
    first_pass = trainer.batches.dropped
    assert first_pass == WINDOWS  # Those of 7.
    # The second batch of 0.
    assert trainer.run(1)
    assert trainer.train_step == GRADIENT_STEPS
    assert trainer.figures()["policy_lag"] == 0
    # Those of the next weights.
    assert trainer.run(1)
    assert trainer.train_step == 2 * GRADIENT_STEPS
    assert trainer.figures()["dropped_windows"] == WINDOWS
    assert not trainer.run(1)
    sampled = run.info(tables.REPLAY).rate_limiter_info.sample_stats.completed
    assert sampled == 4 * WINDOWS


def test_a_surplus_is_never_mixed_into_the_next_batch(
    run: ServedRun, trainer: Trainer
) -> None:
    """Windows that were kept for a batch go when the weights have changed."""
    actor = Actor(run)
    queue = trainer.batches
    assert isinstance(queue, WindowQueue)
    actor.collect(0)
    # One of them is lost, as if its actor had gone.
    assert queue._windows.wait(1, DEADLINE_S)
    next(queue._windows)
    start = time.monotonic()
    while queue.ready() < WINDOWS - 1 or queue._windows.ready():
        assert not queue.wait(1, 0.05)
        assert time.monotonic() < start + DEADLINE_S
    trainer.agent.train_step_counter.assign(5)
    actor.collect(5)
    assert queue.wait(1, DEADLINE_S)
    assert queue.dropped == WINDOWS - 1
    _, info = next(queue)
    np.testing.assert_array_equal(info.policy_train_step, np.full([1, WINDOWS], 5))


def test_weights_are_published_after_each_batch(
    run: ServedRun, trainer: Trainer
) -> None:
    """However long it is to the next push by the clock."""
    actor = Actor(run)
    published: list[int] = []

    class Publisher:
        """Notes what it is given."""

        def publish(self, weights: dict[str, tf.Variable]) -> None:
            published.append(int(tf.nest.flatten(weights)[-1]))

    trainer.publisher = Publisher()  # type: ignore[assignment]
    settings = load(
        "Train.publish_interval_s = 1000.0",
        "Train.checkpoint_interval_s = 1000.0",
        f"Train.max_train_steps = {2 * GRADIENT_STEPS}",
    ).train
    actor.collect(0)
    actor.collect(GRADIENT_STEPS)
    train_lib.train(trainer, settings, lambda: True, lambda **_: None, lambda _: None)
    assert published[-2:] == [GRADIENT_STEPS, 2 * GRADIENT_STEPS]
    assert len(published) <= 3
