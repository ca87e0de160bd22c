"""actor/collect.py with an on-policy agent: whole windows of one version at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tf_agents.experimental.distributed import reverb_variable_container

from actor import builder
from actor import collect as collect_lib
from reverb_server import replay_layout, tables
from tests.actor.conftest import unwatched
from tests.actor.on_policy_run import LENGTH, WINDOWS, load
from tests.actor.served_run import ServedRun, serve
from tests.reverb_server.episodes import take
from tests.reverb_server.waiting import wait_until


@pytest.fixture
def run(tmp_path: Path) -> Iterator[ServedRun]:
    """Of one actor."""
    with serve(load(), tmp_path) as served:
        yield served


def test_an_actor_waits_for_other_weights_after_each_window(run: ServedRun) -> None:
    """A window of each environment with each version, and no other."""
    experiment = load()
    agent, train_step = experiment.make_agent(experiment.environment())
    layout = replay_layout.replay_layout(agent, experiment.replay)

    def publish(version: int) -> None:
        train_step.assign(version)
        # A new one each time: seeding TensorFlow makes an older one useless.
        container = reverb_variable_container.ReverbVariableContainer(
            run.address, [tables.VARIABLES]
        )
        container.push(tables.weights_of(agent, train_step), tables.VARIABLES)

    collector, weights = builder.build(experiment, run.join("actor"), 0, unwatched())
    assert collector.rounds_per_version is not None
    assert collector.rounds_per_version() == LENGTH + 1
    coming = [0, 50, 20]
    publish(coming.pop(0))

    def is_running() -> bool:
        """Publishes the next version when the windows of the one before are there."""
        if coming and collector.transitions == (3 - len(coming)) * LENGTH * WINDOWS:
            publish(coming.pop(0))
        return collector.transitions < 3 * LENGTH * WINDOWS

    collect_lib.collect(
        collector, weights, WINDOWS, lambda: 0, is_running, lambda _: None
    )
    weights.close()
    items = 3 * WINDOWS
    wait_until(lambda: run.info(tables.REPLAY).current_size == items)
    versions = [
        set(window.policy_train_step.tolist())
        for window in take(run.server.client, layout, items)
    ]
    assert versions == [{0}] * WINDOWS + [{50}] * WINDOWS + [{20}] * WINDOWS
