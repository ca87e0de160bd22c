"""A real server, and a few processes of light synthetic actors that call it.

What the calls are to the server is told by its processor time, so other work on the
machine matters less than it would to a clock.

No TensorFlow is imported here: see `stock_processes`.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psutil

from benchmarks import bounds
from benchmarks.our_run import GIN_FILE
from benchmarks.stock_processes import START_TIMEOUT_S, Children, last_report
from experiment.errors import ConfigurationError
from reverb_server import port as port_lib

# Processes that share the synthetic actors out.
_PROCESSES = 2

# Seconds beyond those of a load until it must be done: to connect 1,000 actors on a
# busy machine, and to work off all rows.
_PATIENCE_S = 180.0

# Files of server and synthetic actors that are no connections of these.
_OTHER_FILES = 200


@dataclasses.dataclass(frozen=True)
class Work:
    """What a load came to.

    Attributes:
      cpu_s: Processor time of the server.
      elapsed_s: Time that passed.
      counts: Calls or items, by name.
    """

    cpu_s: float
    elapsed_s: float
    counts: Mapping[str, int]

    def cost(self, idle: float) -> float:
        """Of one of them, if all are of one kind; without what an idle server takes.

        Raises:
          RuntimeError: There was none.
        """
        count = sum(self.counts.values())
        if not count:
            raise RuntimeError(
                f"no call was answered within {self.elapsed_s:.0f} s; raise --seconds."
            )
        return (self.cpu_s - idle * self.elapsed_s) / count

    def predicted_s(self, costs: Mapping[str, float], factor: float = 1.0) -> float:
        """What it should have taken if calls cost so many times what they did alone."""
        called = sum(costs[name] * count for name, count in self.counts.items())
        return factor * called + costs["idle"] * self.elapsed_s

    def factor(self, costs: Mapping[str, float]) -> float:
        """How many times what calls cost alone they took."""
        idle = costs["idle"] * self.elapsed_s
        return (self.cpu_s - idle) / (self.predicted_s(costs) - idle)


class Rig:
    """A server, and processes of synthetic actors that do what they are told."""

    def __init__(
        self, children: Children, port: int, layers: str, per_item: int
    ) -> None:
        """Starts them.

        Args:
          children: Where they belong.
          port: Reserved for the server.
          layers: Hidden layers of the network.
          per_item: Transitions in an item.
        """
        self._children, self._written = children, 0
        self._commands = children.folder / "commands.jsonl"
        self._commands.touch()
        server = children.start(
            "reverb_server",
            "reverb_server",
            *_server_flags(layers, per_item),
            f"--root_dir={children.folder / 'run'}",
            f"--port={port}",
        )
        self.server = psutil.Process(server.pid)
        self._actors = [
            children.start(
                f"actors-{number}",
                "benchmarks.synthetic_actors",
                f"--port={port}",
                f"--first={number * 10_000}",
                f"--transitions_per_item={per_item}",
                f"--commands={self._commands}",
            )
            for number in range(_PROCESSES)
        ]

    def connect(self, actors: int) -> None:
        """Connects so many actors in all, at least; none is cut off."""
        each = -(-actors // len(self._actors))
        self._order({"do": "connect", "actors": each})

    def idle(self, seconds: float) -> Work:
        """Keeps all connections, and makes no call."""
        return self._work({"do": "idle", "seconds": seconds})

    def call(self, shares: Mapping[str, float], seconds: float) -> Work:
        """Lets all processes make calls, and waits until they have.

        Args:
          shares: Of the calls, by their names.
          seconds: For how long.

        Raises:
          RuntimeError: A process failed.
          TimeoutError: They were not done in time.
        """
        # What is made at the first use shall not be measured.
        self._order({"do": "call_each", "names": list(shares)})
        return self._work({"do": "call", "shares": shares, "seconds": seconds})

    def _work(self, command: Mapping[str, Any]) -> Work:
        before, start = cpu_s(self.server.pid), time.monotonic()
        counts: collections.Counter[str] = collections.Counter()
        for reply in self._order(command):
            counts.update({name: int(count) for name, count in reply.items()})
        return Work(cpu_s(self.server.pid) - before, time.monotonic() - start, counts)

    def sizes(self) -> dict[str, float]:
        """Bytes of an item, of the weights, and of an answer of `server_info`."""
        return self._order({"do": "sizes"})[0]

    def _order(self, command: Mapping[str, Any]) -> list[dict[str, float]]:
        """Writes a command, and waits for the replies of all."""
        with self._commands.open("a") as file:
            file.write(json.dumps(command) + "\n")
        self._written += 1
        what = f"synthetic actors that do {command}"
        patience_s = START_TIMEOUT_S + _PATIENCE_S + command.get("seconds", 0.0)
        return self._children.wait(what, self._replies, patience_s)

    def _replies(self) -> list[dict[str, float]] | None:
        replies = [last_report(child) or {} for child in self._actors]
        if any(reply.pop("command", 0) < self._written for reply in replies):
            return None
        return replies

    def holds(self) -> dict[str, int]:
        """What the server has open, and its memory."""
        with self.server.oneshot():
            return {
                "files": self.server.num_fds(),
                "threads": self.server.num_threads(),
                "memory": self.server.memory_info().rss,
            }


def _server_flags(layers: str, per_item: int) -> list[str]:
    bindings = {
        "q_network.layers": layers,
        "Replay.transitions_per_item": per_item,
        "Replay.max_size": 20_000,
        # Nobody waits for a table that is filled by whoever comes first.
        "Replay.min_size_to_sample": 1,
        "Collect.initial_collect_steps": 0,
        "Collect.envs_per_actor": bounds.ENVS_PER_ACTOR,
    }
    told = [f"--gin_bindings={name} = {value}" for name, value in bindings.items()]
    return ["--is_supervised", f"--gin_file={GIN_FILE}", *told]


def allowed(actors: Sequence[int]) -> list[int]:
    """Numbers of actors whose connections a process here may have open, few to many.

    Raises:
      ConfigurationError: There is none.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # Children inherit it.
    fit = (most - _OTHER_FILES) // bounds.CONNECTIONS_PER_ACTOR
    fitting = sorted(number for number in actors if 1 <= number <= fit)
    if not fitting:
        raise ConfigurationError(
            f"--actors is {list(actors)}, but it must have a number from 1 to {fit}, "
            f"for which {most} open files are enough (`ulimit -Hn`)."
        )
    for number in sorted(set(actors) - set(fitting)):
        print(f"{number} actors are left out: they must be from 1 to {fit} here")
    return fitting


def cpu_s(pid: int) -> float:
    """Processor time that a process has used."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


@contextlib.contextmanager
def running(layers: str, per_item: int) -> Iterator[Rig]:
    """A server with its synthetic actors, ended with the context."""
    holder, port = port_lib.reserve(None)
    with holder, Children() as children:
        yield Rig(children, port, layers, per_item)
