"""What the first server of a run knows of the further ones."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

from experiment.errors import ConfigurationError
from experiment.manifest import Manifest
from reverb_server import address as address_lib
from reverb_server import shard as shard_lib
from reverb_server.figures import ACTOR, LEARNER
from reverb_server.motion import Peer, Peers, names
from reverb_server.replay_figures import Counts
from reverb_server.shard import Shard

_FIGURE = "shard_env_steps"


class KnownShards:
    """Where they are, what they count, and what they counted before they were lost.

    The manifest is the home of the addresses, of the numbers that the learner does not
    reach, and of environment steps that no table counts any longer.

    Attributes:
      watched: Each, once all were heard of; none before.
      problem: Which are lost, and for whom; None if none is.
    """

    def __init__(self, address: str, env_steps: list[int], items: int) -> None:
        """Knows no address yet.

        Args:
          address: Of this server.
          env_steps: That each was last known to count.
          items: Environment steps of an item.
        """
        self._address = address
        self._known = env_steps
        self._items = items
        self._told: dict[int, str] = {}
        self.watched: list[Shard] = []
        self.problem: str | None = None

    @classmethod
    def of(
        cls, address: str, known: dict[str, Any], servers: int, items: int
    ) -> KnownShards:
        """As the last row of the server before this one has them.

        Args:
          address: Of this server.
          known: That row.
          servers: Of the run, the first one included.
          items: Environment steps of an item.
        """
        return cls(address, known.get(_FIGURE, [0] * (servers - 1)), items)

    def left_out_of(self, known: dict[str, Any]) -> int:
        """Environment steps of such a row without theirs."""
        return int(known.get("env_steps", 0)) - sum(self._known)

    def forget(self) -> None:
        """Takes what they counted for what they will: they are restored too."""
        self._known = [0] * len(self._known)

    def figures(self) -> dict[str, list[int]]:
        """For the row of the server; none if there are no others."""
        return {_FIGURE: self.env_steps} if self._known else {}

    def hear(self, row: dict[str, Any]) -> None:
        """Takes a row of theirs, which says where it is; what is no address is dropped.

        The first address stays: each comes back where it was.
        """
        address = row.get("address")
        if not isinstance(address, str) or row["task"] in self._told:
            return
        try:
            address_lib.parse_address(address)
        except ConfigurationError as error:  # Anybody can write rows.
            logging.warning(
                "replay shard %d tells no address, but %r: %s",
                row["task"],
                address,
                error,
            )
        else:
            self._told[row["task"]] = address

    def update(self, manifest: Manifest, peers: Peers, now: float) -> Manifest:
        """The manifest as it has to be now.

        Whom the learner does not reach, actors would wait for in vain: all are told.

        Args:
          manifest: As it is.
          peers: That were heard of.
          now: Seconds, of the clock of `peers`.
        """
        if not self._known:
            return manifest
        learners, actors = (peers.all(role, now) for role in (LEARNER, ACTOR))
        addresses = [
            address or self._told.get(number, "")
            for number, address in enumerate(manifest.replay_shards, start=1)
        ]
        lost = [
            number
            for number, _ in enumerate(addresses, start=1)
            if any(number in _lost_to(each) for each in learners)
        ]
        manifest = dataclasses.replace(
            manifest,
            replay_shards=addresses,
            lost_shards=lost if learners else manifest.lost_shards,
        )
        if not self.watched and all(addresses):
            self.watched = shard_lib.watch(manifest, self._address)
        self.problem = self._problem([*learners, *actors])
        return self._count(manifest)

    def _count(self, manifest: Manifest) -> Manifest:
        """Adds what was lost with the table of one that has come back with less.

        The steps were taken. What it counts anew before the next look at it, within a
        second or two, is not told from what it had counted.
        """
        before, self._known = self._known, self.env_steps
        gone = sum(max(old - new, 0) for old, new in zip(before, self._known))
        if not gone:
            return manifest
        logging.warning("%d environment steps are of experience that is lost", gone)
        earlier = manifest.earlier_env_steps + gone
        return dataclasses.replace(manifest, earlier_env_steps=earlier)

    def _problem(self, members: Sequence[Peer]) -> str | None:
        there = [each for each in members if not each.is_silent]
        problems = []
        for shard in self.watched:
            cut_off = [each for each in there if shard.number in _lost_to(each)]
            if shard.problem:
                problems.append(f"{shard} {shard.problem}")
            elif cut_off:
                problems.append(
                    f"{shard} does not answer {names(cut_off)}: all actors and the "
                    "learner have to reach its port"
                )
        without = "the run goes on without what is lost"
        return "; ".join([*problems, without]) if problems else None

    @property
    def env_steps(self) -> list[int]:
        """That each counts, in transitions; what it last counted, if it is lost."""
        found = list(self._known)
        for shard in self.watched:
            if shard.has_answered:
                found[shard.number - 1] = shard.inserted * self._items
        return found

    @property
    def counts(self) -> list[Counts]:
        """Of each that was heard of."""
        return [shard.counts for shard in self.watched]

    def close(self) -> None:
        """Ends the watching."""
        shard_lib.leave(self.watched)


def _lost_to(member: Peer) -> list[Any]:
    """The numbers of those that a member does not reach; of one that has left, none."""
    told = member.row.get("lost_shards")
    return told if isinstance(told, list) and not member.row.get("has_left") else []
