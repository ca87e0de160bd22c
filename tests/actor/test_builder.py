"""actor/builder.py: what an actor is made of follows from the run and its task."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.experimental.distributed import reverb_variable_container

from actor import builder
from actor.collector import Collector
from experiment import definition
from experiment.errors import ConfigurationError
from reverb_server import tables
from tests.actor.conftest import CARTPOLE, ServeCartPole, unwatched
from tests.actor.served_run import ServedRun, serve
from tests.reverb_server.waiting import wait_until

PRIORITIZED = """
Replay.priority_exponent = 0.6
Replay.transitions_per_item = None
Replay.samples_per_insert = None
Collect.initial_collect_steps = 0
Replay.min_size_to_sample = 1
"""
LADDER = "Experiment.collect_policy = @epsilon_ladder\n"


def build(run: ServedRun, task: int = 0, text: str = "") -> Collector:
    """The collector of an actor that joins the run."""
    experiment = definition.load_text(CARTPOLE + text)
    collector, weights = builder.build(
        experiment, run.join("actor", task), task, unwatched()
    )
    run.members.callback(weights.close)
    return collector


def first_observations(collector: Collector) -> np.ndarray:
    """Of all its environments."""
    observations: np.ndarray = collector._time_step.observation
    return observations


def test_the_same_seed_and_task_see_and_do_the_same(
    serve_cartpole: ServeCartPole,
) -> None:
    """Other tasks and other seeds see something else, in each environment."""
    run, other_run = serve_cartpole(seed=3, num_actors=2), serve_cartpole(seed=4)
    one, other_task, again = build(run, 0), build(run, 1), build(run, 0)
    other_seed = build(other_run, 0)
    seen = [
        first_observations(collector) for collector in (one, other_task, other_seed)
    ]
    assert [observations.shape for observations in seen] == [(4, 4)] * 3
    assert len(np.unique(np.concatenate(seen), axis=0)) == 3 * 4
    np.testing.assert_array_equal(first_observations(again), seen[0])


def test_the_same_seed_and_task_explore_the_same(
    serve_cartpole: ServeCartPole,
) -> None:
    """The random policy's actions come from the seed too."""
    states = []
    for _ in range(2):
        collector = build(serve_cartpole(seed=3))
        collector.run(1_000)
        assert collector.env_steps == 32
        states.append(first_observations(collector))
    np.testing.assert_array_equal(states[0], states[1])


@pytest.mark.parametrize(("task", "steps"), [(0, 12), (2, 12), (3, 0)])
def test_an_actor_takes_its_share_of_the_random_steps(
    task: int, steps: int, serve_cartpole: ServeCartPole
) -> None:
    """32 of three actors, in rounds of 4; a fourth actor takes none."""
    collector = build(serve_cartpole(num_actors=3), task)
    assert collector.is_random == (steps > 0)
    while collector.is_random:
        collector.run(1)
    assert collector.env_steps == steps


def test_a_restarted_actor_takes_no_random_steps(
    serve_cartpole: ServeCartPole,
) -> None:
    """What it took before is in the table."""
    run = serve_cartpole()
    collector = build(run)
    collector.run(100)
    collector.run(8)  # The last random steps are written with those after them.
    wait_until(lambda: run.info(tables.REPLAY).current_size >= 32 // 4)
    assert not build(run).is_random


def test_an_actor_of_a_resumed_run_takes_no_random_steps(
    serve_cartpole: ServeCartPole,
) -> None:
    """There are trained weights, although the table is empty."""
    assert not build(serve_cartpole(resumed=True)).is_random


def test_each_actor_explores_in_its_own_way_if_told_to(
    serve_cartpole: ServeCartPole,
) -> None:
    """The factory of the collect policy hears of the task and of the actors."""
    run = serve_cartpole(num_actors=2)
    epsilons = [
        build(run, task, LADDER)._policy._policy._get_epsilon() for task in (0, 1)
    ]
    assert epsilons == pytest.approx([0.4, 0.4**8])


def test_an_actor_explores_anew_when_the_run_is_scaled(
    serve_cartpole: ServeCartPole,
) -> None:
    """As one of so many as there are now; with the weights and episodes it has."""
    run = serve_cartpole()
    collector = build(run, 0, LADDER)
    assert collector._policy._policy._get_epsilon() == pytest.approx(0.4**4.5)
    collector.run(50)
    steps, weights = collector.env_steps, collector._policy._policy.variables()

    def comes_to(epsilon: float) -> bool:
        collector.run(1)
        return math.isclose(
            collector._policy._policy._get_epsilon(), epsilon, rel_tol=1e-6
        )

    for num_actors, epsilon in ((3, 0.4), (1, 0.4**4.5)):
        run.server._scale(num_actors)
        wait_until(functools.partial(comes_to, epsilon))
    assert collector.env_steps > steps
    after = collector._policy._policy.variables()
    assert [id(each) for each in after] == [id(each) for each in weights]


def test_what_is_collected_gets_the_largest_priority_that_the_learner_has_told(
    tmp_path: Path,
) -> None:
    """By each actor, from the first weights on."""
    experiment = definition.load_text(CARTPOLE + PRIORITIZED)
    with serve(experiment, tmp_path, num_actors=2) as run:
        agent, train_step = experiment.make_agent(experiment.environment())
        told = tables.weights_of(agent, train_step, tf.Variable(123.0))
        container = reverb_variable_container.ReverbVariableContainer(
            run.address, [tables.VARIABLES]
        )
        container.push(told, tables.VARIABLES)
        for task in (0, 1):
            joined = run.join("actor", task)
            collector, weights = builder.build(experiment, joined, task, unwatched())
            run.members.callback(weights.close)
            assert weights.wait_for_first(joined.is_running)
            collector.run(10)
        wait_until(lambda: run.info(tables.REPLAY).current_size >= 2 * 4)
        samples = run.server.client.sample(tables.REPLAY, 50, emit_timesteps=False)
        assert {sample.info.priority for sample in samples} == {123.0}


def test_a_table_of_another_experiment_is_refused(
    serve_cartpole: ServeCartPole,
) -> None:
    """Before anything is written that nobody could read."""
    run = serve_cartpole()
    experiment = definition.load_text(CARTPOLE + "Replay.transitions_per_item = 2\n")
    with pytest.raises(ConfigurationError, match="the replay table holds"):
        builder.build(experiment, run.join("actor"), 0, unwatched())


def test_missing_random_steps_are_those_that_are_not_in_the_table(
    serve_cartpole: ServeCartPole,
) -> None:
    """A resumed run misses none."""
    experiment = definition.load_text(CARTPOLE)
    wanted = experiment.collect.initial_collect_steps
    run = serve_cartpole()
    member = run.join("actor")
    assert builder.missing_random_steps(experiment, member) == wanted
    member._inserted_items = 3
    left = wanted - 3 * experiment.replay.windows_per_item
    assert builder.missing_random_steps(experiment, member) == left
    member._inserted_items = 10_000
    assert builder.missing_random_steps(experiment, member) == 0
    resumed = serve_cartpole(resumed=True).join("actor")
    assert builder.missing_random_steps(experiment, resumed) == 0
