"""What the first server of a run knows of the further ones."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

from experiment.errors import ConfigurationError
from experiment.manifest import Manifest
from reverb_server import address as address_lib
from reverb_server import shard as shard_lib
from reverb_server.replay_figures import Counts
from reverb_server.shard import Shard

_FIGURE = "shard_env_steps"


class KnownShards:
    """Where they are, what they count, and what they counted before they were lost.

    The manifest is the home of the addresses, and of environment steps that no table
    counts any longer.
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
        self._watched: list[Shard] = []

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
            logging.warning("replay shard %d is nowhere: %s", row["task"], error)
        else:
            self._told[row["task"]] = address

    def update(self, manifest: Manifest) -> Manifest:
        """The manifest as it has to be now.

        One that comes back with less than it has counted, since its table began empty
        or was restored, has lost experience, but the steps were taken. What it counts
        anew before the next look at it, within a second, is not told from these.
        """
        addresses = [
            address or self._told.get(number, "")
            for number, address in enumerate(manifest.replay_shards, start=1)
        ]
        manifest = dataclasses.replace(manifest, replay_shards=addresses)
        if not self._watched and all(addresses):
            self._watched = shard_lib.watch(manifest, self._address)
        before, self._known = self._known, self.env_steps
        lost = sum(max(old - new, 0) for old, new in zip(before, self._known))
        if not lost:
            return manifest
        logging.warning("%d environment steps are of experience that is lost", lost)
        earlier = manifest.earlier_env_steps + lost
        return dataclasses.replace(manifest, earlier_env_steps=earlier)

    @property
    def env_steps(self) -> list[int]:
        """That each counts, in transitions; what it last counted, if it is lost."""
        found = list(self._known)
        for shard in self._watched:
            if shard.has_answered:
                found[shard.number - 1] = shard.inserted * self._items
        return found

    @property
    def counts(self) -> list[Counts]:
        """Of each that was heard of."""
        return [shard.counts for shard in self._watched]

    def close(self) -> None:
        """Ends the watching."""
        for shard in self._watched:
            shard.leave()
