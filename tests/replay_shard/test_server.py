"""replay_shard/server.py: a further replay server in the life of a run."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiment import definition, run_dir
from experiment.errors import ConfigurationError
from experiment.manifest import Manifest
from replay_shard.server import ShardServer
from reverb_server import figures, membership, sharded_writer, tables
from reverb_server import port as port_lib
from reverb_server import shard as shard_lib
from reverb_server.membership import Membership
from reverb_server.replay_layout import replay_layout
from reverb_server.server import RunServer
from tests.reverb_server.conftest import Built, cartpole
from tests.reverb_server.episodes import batches, experience
from tests.reverb_server.run_for_tests import GIN_TEXT, StopByHand
from tests.reverb_server.server_life import ITEM
from tests.reverb_server.waiting import wait_until

__all__ = ["cartpole"]

ENVS = 16

# One that is freed drops what it has not sent yet.
_WRITERS: list[Any] = []


class ShardedRun:
    """A run with two replay servers in the process of a test.

    Attributes:
      first: With everything else.
      shard: The further one, with its membership; None while there is none.
    """

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._members = contextlib.ExitStack()
        self._folder = folder
        self._holders = [port_lib.reserve(None) for _ in range(2)]
        for holder, _ in self._holders:
            stack.enter_context(holder)
        self.shard: ShardServer | None = None
        self.serve_first(
            Manifest.new(
                gin_file="test.gin",
                gin_text=GIN_TEXT,
                root_dir=str(folder),
                seed=0,
                num_actors=1,
                resumed=False,
                replay_shards=[""],
            )
        )

    def serve_first(self, manifest: Manifest, **arguments: Any) -> None:
        """Starts the first server."""
        experiment = definition.load_text(GIN_TEXT)
        self.first = RunServer(experiment, manifest, self._holders[0][1], **arguments)

    def serve_shard(self, number: int = 1, **arguments: Any) -> ShardServer:
        """Starts the other one, and lets the first hear of it."""
        run = self.join(figures.SHARD, number)
        port = self._holders[1][1]
        self.shard = ShardServer(run, number, port, self._folder, **arguments)
        run._send()
        wait_until(self.is_known)
        return self.shard

    def close(self) -> None:
        """Lets members leave, and stops the servers."""
        self._members.close()
        _WRITERS.clear()
        if self.shard is not None:
            self.stop_shard()
        self.first.stop()
        shards = [each for each in threading.enumerate() if "shard" in each.name]
        assert shards == []  # At the end of the process they would be in Reverb.

    def is_known(self) -> bool:
        """Whether the run knows where the other one is."""
        self.first.keep_rows()
        return all(self.first.manifest.replay_shards)

    def stop_shard(self) -> None:
        """As if it was killed."""
        assert self.shard is not None
        self.shard.stop()
        self.shard = None

    def join(self, role: str, task: int = 0) -> Membership:
        """As a process does."""
        run = Membership(self.first.address, role, StopByHand(), task)
        self._members.callback(run.leave)
        return run

    def row(self) -> dict[str, Any]:
        """The newest one of the first server, now."""
        self.first.keep_rows(is_due=True)
        return run_dir.last_row(self._folder, figures.SERVER)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[ShardedRun]:
    """There, without the second server."""
    with contextlib.ExitStack() as stack:
        run = ShardedRun(tmp_path, stack)
        yield run
        run.close()


def write(member: Membership, cartpole: Built, rounds: int) -> Any:
    """Writes steps of 16 environments, as an actor does; returns what it wrote with."""
    layout = replay_layout(cartpole.agent, definition.load_text(GIN_TEXT).replay)
    writer = sharded_writer.writer(member, layout, ENVS, 0, None)
    _WRITERS.append(writer)
    for steps in batches(experience([[rounds]] * ENVS)):
        writer(steps)
    return writer


def inserted(server: RunServer | ShardServer) -> int:
    """Items that a replay table has counted."""
    info = server.client.server_info(timeout=10)[tables.REPLAY]
    return int(info.rate_limiter_info.insert_stats.completed)


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
    returned: list[int] = []
    learner.shards[0].on_return(lambda: returned.append(1))
    run.stop_shard()
    wait_until(lambda: actor.shards[0].is_lost and learner.shards[0].is_lost)
    assert "replay shard 1 at localhost" in caplog.text
    write(actor, cartpole, rounds=3)  # Nobody waits.
    wait_until(lambda: inserted(run.first) == 8)
    problem = learner.store_replay(train_step=30)
    assert problem == "replay shard 1 is lost, and so is its share"
    run.first.keep_rows()
    shard = run.serve_shard(is_restart=True)
    assert inserted(shard) == 0
    wait_until(lambda: returned and not actor.shards[0].is_lost)
    wait_until(lambda: run.row()["shard_env_steps"] == [0])
    write(actor, cartpole, rounds=2)
    wait_until(lambda: inserted(shard) == 2)
    wait_until(lambda: run.row()["env_steps"] == (10 + 5 + 2) * ITEM)
    assert run.first.manifest.earlier_env_steps == 5 * ITEM
    wait_until(lambda: actor.env_steps(ITEM) == (10 + 5 + 2) * ITEM)


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
    run.first.stop()
    before = run_dir.read_manifest(tmp_path)
    again = Manifest.from_json(before.to_json())
    again.replay_shards[0] = ""
    run.serve_first(again)
    assert inserted(run.serve_shard()) == 4
    wait_until(lambda: run.row()["env_steps"] == 4 * ENVS)


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
    """And it leaves the run."""
    stop = StopByHand()
    shard = run.serve_shard()
    stop.set()
    shard.serve(stop.wait)
    run.shard = None
    run.first.keep_rows()
    assert run_dir.last_row(run._folder, figures.SHARD)["has_left"]
