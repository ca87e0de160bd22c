"""replay_shard/server.py: a further replay server in the life of a run."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from pathlib import Path

import pytest

from experiment import process, run_dir
from experiment.errors import ConfigurationError
from experiment.manifest import Manifest
from replay_shard.server import ShardServer
from reverb_server import figures, membership, snapshot_keeper, tables
from reverb_server import port as port_lib
from reverb_server import shard as shard_lib
from reverb_server.server import RunServer
from reverb_server.shard import Shard
from tests.replay_shard.sharded_run import ENVS, ShardedRun, inserted, write
from tests.reverb_server.conftest import Built
from tests.reverb_server.run_for_tests import StopByHand
from tests.reverb_server.server_life import ITEM
from tests.reverb_server.waiting import wait_until


def test_a_replay_is_spread_and_counted_as_one(
    run: ShardedRun, cartpole: Built
) -> None:
    """Half of each round goes to each server; the run has the sum."""
    shard = run.serve_shard()
    actor = run.join(figures.ACTOR)
    writer = write(actor, cartpole, rounds=6)
    assert writer.transitions == 6 * ENVS
    wait_until(lambda: inserted(run.first) == inserted(shard) == 6)
    info = shard.client.server_info(timeout=10)
    assert set(info) == {tables.REPLAY, tables.RUN, tables.TELEMETRY}
    of_first = run.first.client.server_info(timeout=10)[tables.REPLAY]
    assert info[tables.REPLAY].signature == of_first.signature
    assert info[tables.REPLAY].max_size == of_first.max_size == 500 // ITEM
    wait_until(lambda: run.row()["env_steps"] == 6 * ENVS)
    row = run.row()
    assert row["shard_env_steps"] == [6 * ITEM]
    assert (row["replay_size"], row["replay_max_size"]) == (6 * ENVS, 2 * 62 * ITEM)
    wait_until(lambda: actor.env_steps(ITEM) == 6 * ENVS)


def test_a_run_goes_on_without_a_server_that_is_lost(
    run: ShardedRun,
    cartpole: Built,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What it counted stays counted when it comes back empty."""
    monkeypatch.setattr(shard_lib, "_LOST_S", 0.5)
    run.serve_shard()
    actor, learner = run.join(figures.ACTOR), run.join(figures.LEARNER)
    write(actor, cartpole, rounds=5)
    wait_until(lambda: run.row()["env_steps"] == 5 * ENVS)
    changes: list[bool] = []
    watched = learner.shards[0]
    watched.on_change(lambda: changes.append(watched.is_lost))
    client = watched.client
    run.stop_shard()
    wait_until(lambda: actor.shards[0].is_lost and watched.is_lost)
    assert "replay shard 1 at localhost" in caplog.text
    wait_until(lambda: "does not answer" in (run.row()["problem"] or ""))
    write(actor, cartpole, rounds=3)  # Nobody waits.
    wait_until(lambda: inserted(run.first) == 8)
    problem = learner.store_replay(train_step=30)
    assert problem == "replay shard 1 is lost, and so is its share"
    run.first.keep_rows()
    shard = run.serve_shard(is_restart=True)
    assert inserted(shard) == 0
    wait_until(lambda: changes == [True, False])
    # gRPC would try again the later the more often the old one was refused.
    assert watched.client is not client
    wait_until(lambda: run.row()["problem"] is None)
    wait_until(lambda: run.row()["shard_env_steps"] == [0])
    # Not before: an actor may hear late that the learner had lost it.
    wait_until(lambda: run.is_whole_for(actor))
    write(actor, cartpole, rounds=2)
    wait_until(lambda: inserted(shard) == 2)
    wait_until(lambda: run.row()["env_steps"] == (10 + 5 + 2) * ITEM)
    assert run.first.manifest.earlier_env_steps == 5 * ITEM
    wait_until(lambda: actor.env_steps(ITEM) == (10 + 5 + 2) * ITEM)


def test_who_only_the_learner_misses_is_lost_for_actors_too(
    run: ShardedRun, cartpole: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody samples there, so its limiter would hold them; one line says for whom."""
    shard = run.serve_shard()
    actor = run.join(figures.ACTOR)
    watch = shard_lib.watch
    with port_lib.reserve(None)[0] as closed, monkeypatch.context() as elsewhere:
        # As a firewall makes it look from the learner's host.
        there = f"localhost:{closed.getsockname()[1]}"

        def cut_off(manifest: Manifest, address: str) -> list[Shard]:
            closed_one = dataclasses.replace(manifest, replay_shards=[there])
            [shard] = watch(closed_one, address)
            shard.address = f"localhost:{run.port(1)}"  # As it is known.
            return [shard]

        elsewhere.setattr(shard_lib, "watch", cut_off)
        learner = run.join(figures.LEARNER)
        assert learner.shards[0].is_lost
        learner._send()
        wait_until(lambda: run.row() and run.first.manifest.lost_shards == [1])
        wait_until(lambda: actor.is_lost(actor.shards[0]))
        assert not actor.shards[0].is_lost
        write(actor, cartpole, rounds=3)
        wait_until(lambda: inserted(run.first) == 3)
        assert inserted(shard) == 0
        problem = run.row()["problem"]
        assert "does not answer learner on host" in problem, problem
        learner.leave()  # And another takes its place, which reaches it.
    run.join(figures.LEARNER)._send()
    wait_until(lambda: run.row()["problem"] is None)
    wait_until(lambda: run.is_whole_for(actor))


def test_all_servers_store_and_resume_together(
    run: ShardedRun, cartpole: Built, tmp_path: Path
) -> None:
    """One that is started again goes back to its share, as a resumed run does."""
    shard = run.serve_shard()
    actor, learner = run.join(figures.ACTOR), run.join(figures.LEARNER)
    write(actor, cartpole, rounds=4)
    wait_until(lambda: run.row()["env_steps"] == 4 * ENVS)
    assert learner.store_replay(train_step=30) is None
    run.first.keep_rows()
    shard.keep_snapshots()
    kept = f"snapshots/{30:012d}/DONE"
    assert (tmp_path / run_dir.REPLAY_DIR / kept).exists()
    assert (tmp_path / run_dir.REPLAY_DIR / "shard-1" / kept).exists()
    run.stop_shard()
    assert inserted(run.serve_shard(is_restart=True)) == 4
    for member in (actor, learner):
        member.leave()
    run.stop_shard()
    run.resume(tmp_path)
    assert run.first.manifest.replay_shards == [""]
    assert inserted(run.serve_shard()) == 4
    wait_until(lambda: run.row()["env_steps"] == 4 * ENVS)


def test_three_servers_share_a_replay_and_one_of_them_may_be_lost(
    tmp_path: Path, cartpole: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    """16 environments are shared as 6, 5 and 5."""
    monkeypatch.setattr(shard_lib, "_LOST_S", 0.5)
    with contextlib.ExitStack() as stack:
        run = ShardedRun(tmp_path, stack, shards=2)
        further = [run.serve_shard(number) for number in (1, 2)]
        servers: list[RunServer | ShardServer] = [run.first, *further]
        actor, learner = run.join(figures.ACTOR), run.join(figures.LEARNER)
        write(actor, cartpole, rounds=ITEM)
        wait_until(lambda: [inserted(each) for each in servers] == [6, 5, 5])
        wait_until(lambda: run.row()["shard_env_steps"] == [5 * ITEM, 5 * ITEM])
        run.stop_shard(2)
        wait_until(lambda: actor.shards[1].is_lost and learner.shards[1].is_lost)
        assert not actor.shards[0].is_lost
        write(actor, cartpole, rounds=ITEM)
        wait_until(lambda: [inserted(each) for each in servers[:2]] == [12, 10])
        assert learner.store_replay(30) == "replay shard 2 is lost, and so is its share"
        further[0].keep_snapshots()
        run.close()


def test_members_wait_for_all_servers_and_say_for_which(
    run: ShardedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that starts it."""
    monkeypatch.setattr(membership, "SERVER_TIMEOUT_S", 0.5)
    with pytest.raises(TimeoutError, match="nobody has heard of replay shard 1; start"):
        run.join(figures.ACTOR)


def test_a_server_that_the_run_has_no_place_for_is_refused(run: ShardedRun) -> None:
    """By its number, or since the run knows it elsewhere."""
    with pytest.raises(ConfigurationError, match="--shard is 2, but the run at"):
        run.serve_shard(number=2)
    run.serve_shard()
    holder, port = port_lib.reserve(None)
    with holder, pytest.raises(ConfigurationError, match="start it there, by --port="):
        ShardServer(run.join(figures.SHARD, 1), 1, port, Path("unused"))


def test_a_stop_signal_ends_it(run: ShardedRun) -> None:
    """At once if nobody has learned from it; and it leaves the run."""
    stop = StopByHand()
    shard = run.serve_shard()
    stop.set()
    begun = time.monotonic()
    shard.serve(stop.wait)
    assert time.monotonic() - begun < snapshot_keeper.LAST_SNAPSHOT_S
    del run.shards[1]
    run.first.keep_rows()
    assert run_dir.last_row(run._folder, figures.SHARD)["has_left"]


def test_all_that_are_told_to_stop_together_store_the_same_last_moment(
    run: ShardedRun, cartpole: Built, tmp_path: Path
) -> None:
    """It stays for the learner, which is about to store when it is told to."""
    shard = run.serve_shard()
    run.store(cartpole, rounds=4, train_step=30)
    learner, stop = run.join(figures.LEARNER), StopByHand()
    next(shard.client.sample(tables.REPLAY, 1))
    stop.set()
    serving = process.start_thread("serving", lambda: shard.serve(stop.wait))
    learner._stop = stop  # That of another process, told at the same time.
    assert learner.store_replay(train_step=47) is None
    serving.join(60)
    del run.shards[1]
    kept = (tmp_path / run_dir.REPLAY_DIR / "shard-1" / "snapshots").glob("[0-9]*")
    assert sorted(int(path.name) for path in kept) == [30, 47]
