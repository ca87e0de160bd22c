"""Which run a further replay server is of: no other run's is taken for it."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import pytest

from experiment import process, run_dir
from experiment.errors import ConfigurationError
from replay_shard import server as server_lib
from replay_shard.server import ShardServer
from reverb_server import figures, tables
from reverb_server import port as port_lib
from tests.replay_shard.sharded_run import ENVS, ShardedRun, inserted, write
from tests.reverb_server.conftest import Built
from tests.reverb_server.episodes import batches, experience
from tests.reverb_server.run_for_tests import StopByHand, manifest
from tests.reverb_server.waiting import wait_until


def test_a_server_of_another_run_at_its_address_gets_nothing(
    run: ShardedRun, cartpole: Built, tmp_path: Path
) -> None:
    """All say whose it is, and go on without it until the right one is back."""
    run.serve_shard()
    actor, learner = run.join(figures.ACTOR), run.join(figures.LEARNER)
    writer = write(actor, cartpole, rounds=3)
    wait_until(lambda: inserted(run.first) == inserted(run.shards[1]) == 3)
    run.stop_shard()
    with contextlib.ExitStack() as stack:
        other = ShardedRun(tmp_path / "other", stack)
        other.holders[1] = run.holders[1]  # By chance.
        foreign = other.serve_shard()
        wait_until(lambda: actor.shards[0].is_lost and learner.shards[0].is_lost)
        for steps in batches(experience([[3]] * ENVS)):
            writer(steps)
        wait_until(lambda: inserted(run.first) == 6)
        assert inserted(foreign) == 0
        problem = f"has made way for a server of {other.first.manifest.run_id}/shard-1"
        wait_until(lambda: problem in (run.row()["problem"] or ""))
        assert learner.store_replay(train_step=3) is not None
        foreign.keep_snapshots()
        assert not foreign._snapshots.are_there()
        other.close()
    shard = run.serve_shard(is_restart=True)
    wait_until(lambda: run.row()["problem"] is None)
    # Not before: an actor may hear late that the learner had lost it.
    wait_until(lambda: run.is_whole_for(actor))
    write(actor, cartpole, rounds=2)
    wait_until(lambda: inserted(shard) == 2)


def test_two_processes_with_one_number_are_refused_whenever_they_start(
    run: ShardedRun, tmp_path: Path
) -> None:
    """Also side by side, on two hosts, when the run knows of neither."""
    stop, holder = StopByHand(), port_lib.reserve(None)
    with holder[0]:
        second_run = run.join(figures.SHARD, 1)
        second = ShardServer(second_run, 1, holder[1], tmp_path / "another host")
        first = run.serve_shard()
        with pytest.raises(ConfigurationError) as refusal:
            second.serve(stop.wait)
        second.stop()
    said = str(refusal.value)
    assert f"replay shard 1 of this run is at {first.address}" in said
    assert said.endswith("or give this process another --shard.")


def test_it_ends_though_the_next_run_has_the_address_of_its_own(
    run: ShardedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cartpole: Built
) -> None:
    """It would keep its port and its memory from that one."""
    monkeypatch.setattr(server_lib, "_OVER_S", 1.0)
    shard, learner = run.serve_shard(), run.join(figures.LEARNER)
    learner.end("max_train_steps", tables.weights_of(*cartpole))
    learner.leave()
    serving = process.start_thread("serving", lambda: shard.serve(StopByHand().wait))
    wait_until(lambda: run.row() and has_left(tmp_path))
    next_run = manifest(tmp_path / "next")
    run.first.stop()
    run.serve_first(next_run)
    serving.join(60)
    assert not serving.is_alive()
    del run.shards[1]


def has_left(folder: Path) -> bool:
    """Whether the further server has told its last."""
    return bool(run_dir.last_row(folder, figures.SHARD).get("has_left"))


def test_members_end_that_know_it_at_another_address(
    run: ShardedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a resume by hand that they have lived through."""
    ends: list[str] = []
    monkeypatch.setattr(process, "fail", lambda message, *_: ends.append(message))
    run.serve_shard()
    actor = run.join(figures.ACTOR)
    run.first._tell(
        dataclasses.replace(run.first.manifest, replay_shards=["localhost:1"])
    )
    wait_until(lambda: ends)
    assert f"{actor.shards[0]} is at localhost:1 now" in ends[0]


def test_snapshots_of_another_run_are_refused(
    run: ShardedRun, cartpole: Built, tmp_path: Path
) -> None:
    """On a host of its own, nobody else asks whose the folder is."""
    host = tmp_path / "another host"
    run.serve_shard(folder=host)
    run.store(cartpole, rounds=2, train_step=30)
    run.stop_shard()
    with contextlib.ExitStack() as stack:
        other = ShardedRun(tmp_path / "other", stack)
        with pytest.raises(ConfigurationError) as refusal:
            other.serve_shard(folder=host)
        mine, theirs = (each.first.manifest.run_id for each in (run, other))
        said = str(refusal.value)
        assert f"replay snapshots of run {mine}, but the server's is {theirs}" in said
        other.close()


def test_a_replay_is_discarded_once_in_a_resume(
    run: ShardedRun, cartpole: Built, tmp_path: Path
) -> None:
    """However often the process is started by the same command, and by whomever."""
    with pytest.raises(ConfigurationError, match="--discard_replay means nothing for"):
        run.serve_shard(discard=True)
    run.serve_shard()
    run.store(cartpole, rounds=4, train_step=30)
    run.stop_shard()
    run.resume(tmp_path)
    # The launcher's second process, since the first one had died before it was so far.
    shard = run.serve_shard(discard=True, is_restart=True)
    assert inserted(shard) == 0
    run.store(cartpole, rounds=3, train_step=40)
    run.stop_shard()
    assert inserted(run.serve_shard(discard=True)) == 3
