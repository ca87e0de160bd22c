"""Builds an actor's parts from the run's experiment."""

from __future__ import annotations

from collections.abc import Sequence

from actor.collector import Collector, random_share
from actor.exploration import Exploration
from actor.watchdog import Watchdog, WatchedEnvironment
from experiment import environments, seeding
from experiment.definition import Experiment
from reverb_server import address, priorities, replay_layout, sharded_writer, tables
from reverb_server.membership import Membership
from reverb_server.weights import WeightsPuller


def build(
    experiment: Experiment,
    run: Membership,
    task: int,
    watchdog: Watchdog,
    life: Sequence[int] = (),
) -> tuple[Collector, WeightsPuller]:
    """Builds the environments, the agent with its weights, and the writer.

    Args:
      experiment: What is learned.
      run: The run this actor has joined.
      task: Number of the actor: it decides on seeds and exploration.
      watchdog: Hears what the environments are at.
      life: Of this actor, see `seeding.life_of`.

    Returns:
      What collects, and what keeps its weights new.
    """
    settings = experiment.collect
    seed = seeding.seed_role(run.manifest.seed, "actor", task, life)
    with watchdog.inside("its factory"):
        batch = environments.batched(
            experiment.environment, settings.envs_per_actor, seed
        )
    environment = WatchedEnvironment(batch, watchdog)
    agent, train_step = experiment.make_agent(environment)
    layout = replay_layout.replay_layout(agent, experiment.replay)
    replay = address.ask(run.client)[tables.REPLAY]
    replay_layout.require_signature(layout, replay.signature)
    largest = priorities.largest_priority(experiment.replay)
    weights = WeightsPuller(
        run.address,
        tables.weights_of(agent, train_step, largest),
        settings.pull_interval_s,
    )
    exploration = Exploration(experiment, agent, task, lambda: run.manifest.num_actors)
    collector = Collector(
        environment,
        agent,
        policy=exploration.policy(),
        writer=sharded_writer.writer(
            run, layout, settings.envs_per_actor, task, largest
        ),
        weights=weights,
        random_steps=_random_steps(experiment, run, task),
        rounds_per_version=exploration.rounds_per_version
        if layout.is_on_policy
        else None,
        another_policy=exploration.another_policy,
    )
    return collector, weights


def _random_steps(experiment: Experiment, run: Membership, task: int) -> int:
    """How many of the run's initial random steps are this actor's."""
    if run.manifest.resumed:
        return 0
    return random_share(
        experiment.collect.initial_collect_steps,
        run.env_steps(experiment.replay.env_steps_per_item),
        task,
        run.manifest.num_actors,
    )


def missing_random_steps(experiment: Experiment, run: Membership) -> int:
    """How many of the run's initial random steps are not in the replay table yet."""
    if run.manifest.resumed:
        return 0
    collected = run.env_steps(experiment.replay.env_steps_per_item)
    return max(0, experiment.collect.initial_collect_steps - collected)
