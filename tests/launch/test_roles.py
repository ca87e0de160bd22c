"""launch/roles.py: the processes that a run consists of."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from experiment import run_dir
from experiment.learner_device import LearnerDevice
from launch.role import Role
from launch.roles import describe
from tests.launch.a_run import MANIFEST, options

# What the server has defaults for.
_UNSAID = {"--gin_file", "--seed", "--gin_bindings", "--metrics_port", "--metrics_host"}


def flags_of(role: Role) -> dict[str, list[str]]:
    """The values of each flag of a role; of one without a value, none."""
    found: dict[str, list[str]] = {}
    for argument in role.arguments:
        name, _, value = argument.partition("=")
        found.setdefault(name, []).append(value)
    return found


def test_every_role_is_there_once_and_the_server_first(tmp_path: Path) -> None:
    """Actors as many as asked for, each with its number."""
    roles = describe(options(tmp_path, num_actors=3), "localhost:8008")
    assert [(role.name, role.module) for role in roles] == [
        ("reverb_server", "reverb_server"),
        ("learner", "learner"),
        ("eval_job", "eval_job"),
        ("actor-0", "actor"),
        ("actor-1", "actor"),
        ("actor-2", "actor"),
    ]
    assert [flags_of(role)["--task"] for role in roles[3:]] == [["0"], ["1"], ["2"]]


def test_actors_elsewhere_are_not_started_but_counted(tmp_path: Path) -> None:
    """They have the highest numbers; shares and the ε ladder are those of all."""
    roles = describe(
        options(tmp_path, num_actors=5, actors_elsewhere=4), "localhost:8008"
    )
    assert [role.name for role in roles[3:]] == ["actor-0"]
    assert flags_of(roles[0])["--num_actors"] == ["5"]


def test_the_server_is_told_everything_and_the_others_where_it_is(
    tmp_path: Path,
) -> None:
    """The rest they learn from the server; so no role can disagree with another.

    But for the learner's device, which is a matter of its host.
    """
    started_with = options(
        tmp_path / "a b",
        num_actors=4,
        actors_elsewhere=1,
        gin_file="/mine.gin",
        gin_bindings=["Replay.batch_size = 16", "a.b = 'c=d'"],
        seed=11,
        resume=True,
        discard_replay=True,
        metrics_address=("0.0.0.0", 9090),
        learner_device=LearnerDevice("gpu", 2),
    )
    server, *others = describe(started_with, "localhost:8123")
    assert flags_of(server) == {
        "--root_dir": [str(tmp_path / "a b")],
        "--gin_file": ["/mine.gin"],
        "--gin_bindings": ["Replay.batch_size = 16", "a.b = 'c=d'"],
        "--seed": ["11"],
        "--num_actors": ["4"],
        "--actors_elsewhere": ["1"],
        "--num_replay_servers": ["1"],
        "--port": ["8123"],
        "--is_supervised": [""],
        "--resume": ["True"],
        "--discard_replay": ["True"],
        "--metrics_host": ["0.0.0.0"],
        "--metrics_port": ["9090"],
    }
    device = {"--learner_device": ["gpu"], "--learner_gpus": ["2"]}
    for role in others:
        told = flags_of(role)
        assert told.pop("--server_address") == ["localhost:8123"]
        told.pop("--task", None)
        assert told == (device if role.name == "learner" else {})


def test_what_the_user_did_not_say_is_left_to_the_server(tmp_path: Path) -> None:
    """It knows the defaults, or what a resumed run has."""
    told = flags_of(describe(options(tmp_path), "localhost:8008")[0])
    assert not _UNSAID & set(told)
    assert told["--resume"] == ["False"]


def test_those_that_must_not_do_the_same_again_are_told_that_they_come_back(
    tmp_path: Path,
) -> None:
    """A server its start, actors and eval job their episodes."""
    server, *others = describe(options(tmp_path), "localhost:8008")
    assert list(server.restart_arguments) == ["--is_restart", "--earlier_servers=0"]
    told = {role.name: list(role.restart_arguments) for role in others}
    again = ["--is_restart"]
    assert told == {
        "learner": [],
        "eval_job": again,
        "actor-0": again,
        "actor-1": again,
    }
    run = dataclasses.replace(MANIFEST, server_start=3)
    (tmp_path / run_dir.MANIFEST).write_text(run.to_json())
    server, *_ = describe(options(tmp_path, resume=True), "localhost:8008")
    assert list(server.restart_arguments) == ["--is_restart", "--earlier_servers=3"]


def test_further_replay_servers_come_after_the_server_and_end_with_it(
    tmp_path: Path,
) -> None:
    """Each knows its number, its port, and where the server is."""
    asked = options(tmp_path, num_replay_servers=3, discard_replay=True)
    server, *shards = describe(asked, "localhost:8008", [8101, 8102])[:3]
    assert flags_of(server)["--num_replay_servers"] == ["3"]
    assert [(each.name, each.module, each.task) for each in shards] == [
        ("replay_shard-1", "replay_shard", 1),
        ("replay_shard-2", "replay_shard", 2),
    ]
    assert flags_of(shards[1]) == {
        "--server_address": ["localhost:8008"],
        "--shard": ["2"],
        "--port": ["8102"],
        "--is_supervised": [""],
        "--discard_replay": ["True"],
    }
    assert list(shards[1].restart_arguments) == ["--is_restart"]
    serving = [r.name for r in describe(asked, "localhost:8008", [1, 2]) if r.serves]
    assert serving == ["reverb_server", "replay_shard-1", "replay_shard-2"]


def test_actors_can_be_missed_and_only_some_start_before_the_server_is_up(
    tmp_path: Path,
) -> None:
    """As many as there are processors."""
    first = len(os.sched_getaffinity(0))
    roles = describe(options(tmp_path, num_actors=first + 2), "localhost:8008")
    actors = [f"actor-{task}" for task in range(first + 2)]
    assert [role.name for role in roles if role.is_spare] == actors
    waiting = [role.name for role in roles if role.waits_for_server]
    assert waiting == actors[first:]
    assert [role.task for role in roles] == [0, 0, 0, *range(first + 2)]
