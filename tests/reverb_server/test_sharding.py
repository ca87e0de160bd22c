"""reverb_server/sharding.py: how a replay is spread, and what cannot be."""

from __future__ import annotations

import itertools

import pytest

from experiment import definition
from experiment.errors import ConfigurationError
from reverb_server import sharding
from tests.reverb_server.run_for_tests import GIN_TEXT


@pytest.mark.parametrize("count", [1, 3, 16])
@pytest.mark.parametrize("servers", [1, 2, 3, 5])
def test_every_environment_belongs_to_one_server_and_all_servers_have_as_many(
    servers: int, count: int
) -> None:
    """As many as can be, whatever actors are there."""
    actors = 7
    found = [
        [
            (task, environment)
            for task in range(actors)
            for environment in range(count)[
                sharding.environments_of(server, servers, task, count)
            ]
        ]
        for server in range(servers)
    ]
    assert sorted(itertools.chain.from_iterable(found)) == [
        (task, environment) for task in range(actors) for environment in range(count)
    ]
    sizes = [len(each) for each in found]
    assert max(sizes) - min(sizes) <= 1


def test_a_share_has_its_part_of_the_sizes_and_the_whole_ratio() -> None:
    """So the run has what was asked for, all servers together."""
    experiment = definition.load_text(
        f"{GIN_TEXT}\nCollect.initial_collect_steps = 101\n"
        "Replay.samples_per_insert = 4.0"
    )
    assert sharding.share_of(experiment, 1) is experiment
    share = sharding.share_of(experiment, 4)
    assert (share.replay.max_size, share.replay.min_size_to_sample) == (250, 2)
    assert share.collect.initial_collect_steps == 26
    assert share.replay.samples_per_insert == 4.0
    assert share.replay.batch_size == experiment.replay.batch_size


@pytest.mark.parametrize(
    ("bindings", "num_actors", "error"),
    [
        ("Replay.priority_exponent = 0.6", 2, "Replay.priority_exponent is 0.6, and"),
        ("Collect.envs_per_actor = 1", 2, "2 actors have 2 environments in all"),
        (
            "Replay.min_size_to_sample = 1000",
            1,
            "a share of Replay.max_size, 333, is less than that of the 1000",
        ),
    ],
)
def test_what_cannot_be_spread_is_refused(
    bindings: str, num_actors: int, error: str
) -> None:
    """In one line; with one server it is none of its business."""
    experiment = definition.load_text(f"{GIN_TEXT}\n{bindings}")
    agent, _ = experiment.make_agent(experiment.environment())
    with pytest.raises(ConfigurationError, match=error) as raised:
        sharding.check(experiment, agent, num_actors, 3)
    assert str(raised.value).startswith("--num_replay_servers is 3, but")
    sharding.check(experiment, agent, num_actors, 1)


def test_an_on_policy_agent_is_refused() -> None:
    """Its replay is one queue."""
    experiment = definition.load_text(
        f"{GIN_TEXT}\nExperiment.agent = @ppo_agent\nReplay.sequence_length = 9"
    )
    agent, _ = experiment.make_agent(experiment.environment())
    with pytest.raises(ConfigurationError, match="learns from each window once"):
        sharding.check(experiment, agent, 2, 2)
