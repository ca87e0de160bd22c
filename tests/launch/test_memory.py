"""launch/memory.py: what is refused and warned of; a process takes half a GB, or so."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from experiment.errors import ConfigurationError
from launch import command, memory
from launch.plain_view import PlainView
from tests.launch.a_run import MANIFEST, options
from tests.launch.small_machine import set_memory
from tests.reverb_server.run_for_tests import StopByHand


def refused(num_actors: int, shards: int) -> str:
    """The message by which so many processes are refused."""
    with pytest.raises(ConfigurationError) as raised:
        memory.check(num_actors, shards)
    return str(raised.value)


@pytest.mark.parametrize("shards", [0, 1, 4])
def test_a_further_replay_server_takes_the_place_of_an_actor(
    monkeypatch: pytest.MonkeyPatch, shards: int
) -> None:
    """16 GB hold 69 processes, if what they share is not counted."""
    set_memory(monkeypatch, total=16, free=16)
    most = 69 - 3 - shards
    memory.check(most, shards)
    said = f"{most + 1} actors are to run on this machine, but with 16.0 GB of memory "
    assert refused(most + 1, shards).startswith(f"{said}it can hold {most} at most;")
    assert memory.needed(10 - shards, shards) == memory.needed(10)


def test_replay_servers_that_leave_no_room_for_an_actor_are_what_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fewer actors would not help."""
    set_memory(monkeypatch, total=2, free=2)  # 8 processes.
    memory.check(1, shards=4)
    said = refused(1, shards=5)
    assert said.startswith("6 replay servers are to run on this machine, which with 2.")
    assert said.endswith("lower --num_replay_servers.")
    set_memory(monkeypatch, total=0.5, free=0.5)
    assert "it can hold 0 at most; lower --num_actors" in refused(1, shards=0)


def test_more_processes_than_there_is_memory_for_are_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the sum; half a GB each, the other three processes too."""
    set_memory(monkeypatch, total=16, free=8)
    assert memory.warning(13) is None
    said = memory.warning(14)
    assert said
    assert said.startswith(
        "warning: 14 actors on this machine, server, learner and eval"
    )
    assert "need about 8.5 GB of memory, and 8.0 GB are available" in said
    assert memory.warning(11, shards=2) is None
    said = memory.warning(12, shards=2)
    assert said
    assert "12 actors on this machine, 3 replay servers, learner and eval" in said
    assert "need about 8.5 GB of memory" in said


def test_replay_servers_count_where_new_actors_of_a_run_come_to() -> None:
    """Next to the first one; where one is that was not heard of yet nobody knows."""
    places = ["localhost:8009", "10.0.0.7:8009", "[fd00::7]:8009", "localhost:8010", ""]
    run = dataclasses.replace(MANIFEST, replay_shards=places)
    assert memory.shards_beside_first(run) == 2
    assert memory.shards_beside_first(MANIFEST) == 0


def test_the_launcher_counts_what_it_starts_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All replay servers, and no actor that is elsewhere; it starts nothing."""
    set_memory(monkeypatch, total=2, free=2)
    run = options(tmp_path, num_actors=9, actors_elsewhere=8, num_replay_servers=6)
    with pytest.raises(ConfigurationError, match="6 replay servers are to run on this"):
        command._run_processes(run, StopByHand(), PlainView())
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""
