"""What moves in a run: counts that grow, and processes that are heard of.

The server remembers it from look to look; `stall.py` says what follows from it.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from reverb_server import figures

# Seconds over which a rate is taken, and after which what has not changed stands still.
STILL_S = 10.0

# Every process sends a row every 2 seconds from a thread of its own, whatever it does.
# So one that has been silent for so many has gone, is frozen, or is cut off.
SILENT_S = 30.0

# Processes named in a sentence, at most; the others are counted.
_NAMES = 3


class Growth:
    """A count that only grows: since when it has stood still, and how fast it grows."""

    def __init__(self, count: float, now: float) -> None:
        """Args: the count, and when it was looked at, in seconds."""
        self._looks = collections.deque([(now, count)])
        self._grew_at = now

    def take(self, count: float, now: float) -> None:
        """Takes the count as it is now."""
        if count != self._looks[-1][1]:
            self._grew_at = now
        self._looks.append((now, count))
        while self._looks[1][0] < now - STILL_S:
            self._looks.popleft()

    @property
    def still_s(self) -> float:
        """Seconds since it last grew, as of the last look."""
        return self._looks[-1][0] - self._grew_at

    @property
    def is_still(self) -> bool:
        """Whether it has stood still for `STILL_S`."""
        return self.still_s >= STILL_S

    @property
    def seen_s(self) -> float:
        """Seconds over which `per_s` is taken."""
        return self._looks[-1][0] - self._looks[0][0]

    @property
    def per_s(self) -> float:
        """Growth per second over the last `STILL_S`."""
        grown = self._looks[-1][1] - self._looks[0][1]
        return grown / max(self.seen_s, 1e-9)


@dataclasses.dataclass
class Peer:
    """A process of the run, as its telemetry shows it.

    Attributes:
      row: Its newest figures, with its role, task and host.
      silent_s: Seconds since that row came.
      same_s: By figure, seconds since it took this value.
    """

    row: dict[str, Any]
    silent_s: float
    same_s: dict[str, float]

    @property
    def name(self) -> str:
        """For people."""
        role = self.row["role"]
        is_one_of_many = role in (figures.ACTOR, figures.SHARD)
        number = f" {self.row['task']}" if is_one_of_many else ""
        return f"{role.replace('_', ' ')}{number} on host {self.row['host']}"

    @property
    def log(self) -> str:
        """Where its log is, if the launcher started it."""
        return f"logs/{figures.process_name(self.row['role'], self.row['task'])}.log"

    @property
    def is_silent(self) -> bool:
        """Whether it has not been heard of for `SILENT_S`."""
        return self.silent_s >= SILENT_S

    @property
    def is_missed(self) -> bool:
        """Whether it is silent, and has not said that it goes."""
        return self.is_silent and not self.row.get("has_left")

    @property
    def environment_stalled_s(self) -> float:
        """Seconds that its environment has let it wait; 0 if it says nothing of it."""
        return float(self.row.get("environment_stalled_s") or 0)


class Peers:
    """All processes ever heard of, each by its role and task."""

    def __init__(self) -> None:
        """Of nobody yet."""
        self._rows: dict[tuple[str, int], dict[str, Any]] = {}
        self._heard_at: dict[tuple[str, int], float] = {}
        self._changed_at: dict[tuple[str, int], dict[str, float]] = {}

    def take(self, rows: Iterable[dict[str, Any]], now: float) -> None:
        """Takes rows of telemetry, oldest first, that came just now."""
        for row in rows:
            key = (row["role"], row["task"])
            before = self._rows.get(key, {})
            changed = {
                name: now
                for name, value in row.items()
                if name not in before or before[name] != value
            }
            self._changed_at.setdefault(key, {}).update(changed)
            self._rows[key], self._heard_at[key] = row, now

    def all(self, role: str, now: float) -> list[Peer]:
        """Those of a role, by task, as they are now."""
        return [
            Peer(
                self._rows[key],
                now - self._heard_at[key],
                {name: now - time for name, time in self._changed_at[key].items()},
            )
            for key in sorted(self._rows)
            if key[0] == role
        ]


def names(peers: Sequence[Peer]) -> str:
    """Names some processes in a sentence.

    Args:
      peers: At least one.
    """
    shown = [peer.name for peer in peers[:_NAMES]]
    if len(peers) > _NAMES:
        shown.append(f"{len(peers) - _NAMES} more")
    *others, last = shown
    return f"{', '.join(others)} and {last}" if others else last
