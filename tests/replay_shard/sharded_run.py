"""A run with several replay servers in the process of a test."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

from experiment import definition, run_dir, run_start
from experiment.manifest import Manifest
from replay_shard.server import ShardServer
from reverb_server import figures, sharded_writer, tables
from reverb_server import port as port_lib
from reverb_server.membership import Membership
from reverb_server.replay_layout import replay_layout
from reverb_server.server import RunServer
from tests.reverb_server.conftest import Built
from tests.reverb_server.episodes import batches, experience
from tests.reverb_server.run_for_tests import GIN_TEXT, StopByHand, manifest
from tests.reverb_server.server_life import ITEM
from tests.reverb_server.waiting import wait_until

ENVS = 16

# One that is freed drops what it has not sent yet.
_WRITERS: list[Any] = []


class ShardedRun:
    """A run with several replay servers in the process of a test.

    Attributes:
      first: With everything else.
      shards: The further ones that are there, each with its membership.
    """

    def __init__(
        self,
        folder: Path,
        stack: contextlib.ExitStack,
        shards: int = 1,
        bindings: str = "",
    ) -> None:
        self.experiment = definition.load_text(GIN_TEXT + bindings)
        self._members = contextlib.ExitStack()
        self._folder = folder
        self.holders = [port_lib.reserve(None) for _ in range(1 + shards)]
        for holder, _ in self.holders:
            stack.enter_context(holder)
        self.shards: dict[int, ShardServer] = {}
        run = manifest(folder, shards)
        self.serve_first(dataclasses.replace(run, gin_text=GIN_TEXT + bindings))

    def serve_first(self, run: Manifest, **arguments: Any) -> None:
        """Starts the first server."""
        self.first = RunServer(self.experiment, run, self.holders[0][1], **arguments)

    def serve_shard(
        self, number: int = 1, folder: Path | None = None, **arguments: Any
    ) -> ShardServer:
        """Starts another one, and lets the first hear of it."""
        run = self.join(figures.SHARD, number)
        port, root_dir = self.port(number), folder or self._folder
        self.shards[number] = ShardServer(run, number, port, root_dir, **arguments)
        run._send()
        wait_until(lambda: self._is_known(number))
        return self.shards[number]

    def store(self, cartpole: Built, rounds: int, train_step: int) -> None:
        """An actor writes so many rounds, the learner lets all servers store them."""
        actor, learner = self.join(figures.ACTOR), self.join(figures.LEARNER)
        servers: list[RunServer | ShardServer] = [self.first, *self.shards.values()]
        before = [inserted(each) for each in servers]
        write(actor, cartpole, rounds)
        share = rounds * ENVS // len(servers) // ITEM
        wait_until(
            lambda: [inserted(each) for each in servers] == [n + share for n in before]
        )
        assert learner.store_replay(train_step) is None
        self.first.keep_rows()
        for shard in self.shards.values():
            shard.keep_snapshots()
        for member in (actor, learner):
            member.leave()

    def resume(self, folder: Path) -> None:
        """Lets the first server go on, as by `--resume`; the others are gone."""
        self.first.stop()
        _, run = run_start.start_run(
            folder, gin_file=None, gin_bindings=(), seed=None, num_actors=1, resume=True
        )
        self.serve_first(run)

    def port(self, number: int) -> int:
        """That one has, or will have."""
        return self.holders[number][1] if number < len(self.holders) else 0

    def close(self) -> None:
        """Lets members leave, and stops the servers."""
        self._members.close()
        _WRITERS.clear()
        for number in list(self.shards):
            self.stop_shard(number)
        self.first.stop()

    def _is_known(self, number: int) -> bool:
        self.first.keep_rows()
        return bool(self.first.manifest.replay_shards[number - 1])

    def stop_shard(self, number: int = 1) -> None:
        """As if it was killed."""
        self.shards.pop(number).stop()

    def join(self, role: str, task: int = 0) -> Membership:
        """As a process does."""
        run = Membership(self.first.address, role, StopByHand(), task)
        self._members.callback(run.leave)
        return run

    def is_whole_for(self, member: Membership) -> bool:
        """Whether a member takes none of the servers for lost, and will not again.

        What the first server has told before may still be on its way to the member.
        """
        self.first.keep_rows()
        is_whole = not any(member.is_lost(shard) for shard in member.shards)
        return is_whole and member.manifest == self.first.manifest

    def row(self) -> dict[str, Any]:
        """The newest one of the first server, now."""
        self.first.keep_rows(is_due=True)
        return run_dir.last_row(self._folder, figures.SERVER)


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
