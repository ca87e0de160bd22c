"""actor/collect.py: the loop of an actor, on a real server."""

from __future__ import annotations

import itertools
from typing import Any, Callable

import numpy as np
import pytest
from tf_agents.experimental.distributed import reverb_variable_container

from actor import builder
from actor import collect as collect_lib
from actor.collector import Collector
from experiment import definition
from reverb_server import replay_layout, tables
from reverb_server.replay_layout import RANDOM_POLICY
from reverb_server.weights import WeightsPuller
from tests.actor.conftest import CARTPOLE, ServeCartPole, unwatched
from tests.actor.served_run import ServedRun
from tests.reverb_server.waiting import wait_until

ENVS = 4
RANDOM_STEPS = 32

# Environment steps between two looks whether to go on, while no episode ends.
PIECE = collect_lib.ROUNDS_PER_RUN * ENVS


def build(run: ServedRun) -> tuple[Collector, WeightsPuller]:
    """An actor of the run."""
    experiment = definition.load_text(CARTPOLE)
    collector, weights = builder.build(experiment, run.join("actor"), 0, unwatched())
    run.members.callback(weights.close)
    return collector, weights


def none() -> int:
    """No random steps are missing."""
    return 0


class Learner:
    """Publishes weights that can be told apart: all are equal to their train step."""

    def __init__(self, run: ServedRun) -> None:
        self._address = run.address
        experiment = definition.load_text(CARTPOLE)
        self.agent, train_step = experiment.make_agent(experiment.environment())
        self.layout = replay_layout.replay_layout(self.agent, experiment.replay)
        self._weights = tables.weights_of(self.agent, train_step)

    def publish(self, train_step: int) -> None:
        """Makes the weights of a train step, and publishes them."""
        for variable in self._weights[reverb_variable_container.POLICY_KEY]:
            variable.assign(np.full(variable.shape, train_step, np.float32))
        self._weights[reverb_variable_container.TRAIN_STEP_KEY].assign(train_step)
        # A new one each time: seeding TensorFlow makes an older one useless.
        container = reverb_variable_container.ReverbVariableContainer(
            self._address, [tables.VARIABLES]
        )
        container.push(self._weights, tables.VARIABLES)


def versions_in(run: ServedRun, learner: Learner) -> set[int]:
    """The train steps of the policies in a large sample of the replay table."""
    wait_until(lambda: run.info(tables.REPLAY).current_size >= RANDOM_STEPS // 4)
    samples = run.server.client.sample(tables.REPLAY, 500, emit_timesteps=False)
    steps = np.concatenate([sample.data[0] for sample in samples])
    packed = steps.reshape(-1, 2, steps.shape[-1])
    versions = learner.layout.codec.unpack_array(packed).policy_train_step[:, 0]
    return set(versions.tolist())


def times(count: int) -> Callable[[], bool]:
    """True for so many times, then false for ever."""
    answers = itertools.chain([True] * count, itertools.repeat(False))
    return lambda: next(answers)


def test_nothing_is_collected_after_the_end(serve_cartpole: ServeCartPole) -> None:
    """Nor are weights waited for."""
    run = serve_cartpole()
    collector, weights = build(run)
    steps = collect_lib.collect(
        collector, weights, ENVS, none, lambda: False, lambda _: None
    )
    assert steps == collector.env_steps == 0


def test_the_random_steps_need_no_weights(serve_cartpole: ServeCartPole) -> None:
    """The learner may come up later; while it is waited for, nothing is collected."""
    run = serve_cartpole()
    collector, weights = build(run)
    steps = collect_lib.collect(
        collector, weights, ENVS, none, times(8), lambda _: None
    )
    assert steps == collector.env_steps == RANDOM_STEPS
    assert weights.train_step == -1


@pytest.mark.parametrize("pieces", [1, 3])
def test_it_stops_between_two_pieces(
    pieces: int, serve_cartpole: ServeCartPole
) -> None:
    """And returns the steps taken; those that the random policy took are among them."""
    run = serve_cartpole()
    Learner(run).publish(0)
    collector, weights = build(run)
    asked_for_random_steps = RANDOM_STEPS // PIECE
    is_running = times(asked_for_random_steps + 1 + pieces)
    weights.wait_for(0, lambda: True, timeout_s=20)
    steps = collect_lib.collect(
        collector, weights, ENVS, none, is_running, lambda _: None
    )
    assert steps == collector.env_steps
    # A round in which an episode ends is a step more of the others.
    least = RANDOM_STEPS + pieces * PIECE
    assert least <= steps < least + (pieces + 1) * ENVS


def test_the_collect_policy_never_acts_without_weights(
    serve_cartpole: ServeCartPole,
) -> None:
    """What is not the random policy's was chosen by published weights."""
    run = serve_cartpole()
    learner = Learner(run)
    collector, weights = build(run)

    def is_running() -> bool:
        if not collector.is_random and weights._pulled_step < 0:
            learner.publish(3)
        return collector.env_steps < 2 * RANDOM_STEPS

    collect_lib.collect(collector, weights, ENVS, none, is_running, lambda _: None)
    assert versions_in(run, learner) == {RANDOM_POLICY, 3}


def test_newer_weights_are_taken_while_it_runs(serve_cartpole: ServeCartPole) -> None:
    """Policy and data have the newest ones a moment after they were published."""
    run = serve_cartpole()
    learner = Learner(run)
    learner.publish(3)
    collector, weights = build(run)
    taken_at: dict[int, int] = {}

    def is_running() -> bool:
        taken_at.setdefault(weights.train_step, collector.env_steps)
        if len(taken_at) == 2:  # None, and then those of step 3.
            learner.publish(9)
        return 9 not in taken_at or collector.env_steps < taken_at[9] + 4 * PIECE

    collect_lib.collect(collector, weights, ENVS, none, is_running, lambda _: None)
    assert list(taken_at) == [-1, 3, 9]
    assert versions_in(run, learner) == {RANDOM_POLICY, 3, 9}
    acting = collector._policy._policy.variables()
    assert {float(v.numpy().min()) for v in acting} == {9.0}


def test_figures_are_counted_when_they_are_asked_for(
    serve_cartpole: ServeCartPole,
) -> None:
    """They are those of the collector and of its weights; who stands has no speed."""
    run = serve_cartpole()
    Learner(run).publish(3)
    collector, weights = build(run)
    collector._environment.recovery.failures = 7
    told: list[Callable[[], dict[str, Any]]] = []
    steps = collect_lib.collect(
        collector,
        weights,
        ENVS,
        none,
        lambda: collector.env_steps < 200,
        told.append,
    )
    [figures] = told
    last = figures()
    assert last.pop("env_steps_per_s") > 0
    assert 0 < last.pop("waited_s") < 20
    assert last == {
        "env_steps": steps,
        "episodes": collector.episodes,
        "environment_failures": 7,
        "average_return": collector.average_return,
        "policy_train_step": 3,
    }
    assert collector.episodes > 0
    again = figures()
    assert (again["env_steps"], again["env_steps_per_s"]) == (steps, 0.0)


def test_random_steps_that_others_have_not_taken_are_made_up_for(
    serve_cartpole: ServeCartPole,
) -> None:
    """When there are weights: until then the others may still come."""
    run = serve_cartpole()
    learner = Learner(run)
    learner.publish(3)
    collector, weights = build(run)
    asked: list[int] = []

    def missing() -> int:
        asked.append(collector.env_steps)
        return 2 * RANDOM_STEPS

    collect_lib.collect(
        collector,
        weights,
        ENVS,
        missing,
        lambda: collector.env_steps < 4 * RANDOM_STEPS,
        lambda _: None,
    )
    assert asked == [RANDOM_STEPS]
    wait_until(lambda: run.info(tables.REPLAY).current_size >= RANDOM_STEPS * 3 // 4)
    samples = run.server.client.sample(tables.REPLAY, 2_000, emit_timesteps=False)
    rows = np.concatenate([sample.data[0] for sample in samples])
    packed = rows.reshape(-1, 2, rows.shape[-1])
    versions = learner.layout.codec.unpack_array(packed).policy_train_step[:, 0]
    share = np.mean(versions == RANDOM_POLICY)
    assert 0.6 < share < 0.9  # 3 of 4.
