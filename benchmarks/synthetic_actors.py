"""A process of `benchmarks.scaling --synthetic`: makes the calls of many actors.

No environment, no policy: ready-made steps go through the project's own writer, and
all other calls are those of a real actor too, over connections of each actor's own.
What to do is read from a file, line by line; what was done is printed.
"""

from __future__ import annotations

import collections
import functools
import itertools
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np
import reverb
import tensorflow as tf
from absl import flags
from tf_agents.experimental.distributed import reverb_variable_container

from benchmarks import bounds
from benchmarks.replay import Case
from benchmarks.replay_roles import layout_of, steps_of
from experiment import devices, process
from experiment.errors import EXIT_FINISHED
from experiment.settings import Replay
from reverb_server import address as address_lib
from reverb_server import sizes, tables
from reverb_server.replay_dataset import replay_dataset
from reverb_server.replay_layout import ReplayLayout, require_signature
from reverb_server.replay_writer import ReplayWriter
from reverb_server.row_writer import RowWriter
from reverb_server.telemetry import TelemetrySender

# Items asked for in advance: those of 64 batches of 64, as the learner does by default.
_IN_FLIGHT_ITEMS = 512

# Rounds of the environments that differ: equal steps would be compressed away.
_ROUNDS = 32

# Environments of an actor where many write at a time.
_MANY_ENVS = 64

_POLL_S = 0.02
_ANSWER_TIMEOUT_S = 30
_DRAIN_TIMEOUT_S = 120.0

# A row as an actor sends it.
_FIGURES = {
    "env_steps_per_s": 123.456,
    "policy_train_step": 12_345,
    "env_steps": 1_234_567,
    "episodes": 12_345,
    "environment_failures": 0,
    "environment_stalled_s": 0,
    "average_return": 123.456,
    "waited_s": 12.3456,
    "memory_mb": 493,
    "cpu_percent": 54.3,
}


class SyntheticActor:
    """The clients of an actor."""

    def __init__(self, port: int, number: int, layout: ReplayLayout) -> None:
        """Connects, and makes each call once.

        Args:
          port: Of the server, on this machine.
          number: Of the actor; it decides on its address.
          layout: Of the replay table.
        """
        # gRPC shares connections between the clients of one process to one address; the
        # loopback interface has addresses enough for all.
        self._address = f"127.1.{number // 250}.{1 + number % 250}:{port}"
        self._client = reverb.Client(self._address)
        self._layout = layout
        self._write = self._writer(bounds.ENVS_PER_ACTOR)
        self._sender = TelemetrySender(reverb.Client(self._address), "actor", number)
        self._weights = reverb_variable_container.ReverbVariableContainer(
            self._address, [tables.VARIABLES]
        )
        for call in (self.item, self.item, self.pull, self.row, self.info):
            call()

    def item(self) -> int:
        """Writes a step of each environment; returns how many items that were."""
        return self._write()

    def item_of_many(self) -> int:
        """The same for more environments."""
        return self._write_many()

    def pull(self) -> int:
        """Fetches the weights once."""
        self._weights.pull(tables.VARIABLES)
        return 1

    def info(self) -> int:
        """Looks at the server once."""
        self._client.server_info(timeout=_ANSWER_TIMEOUT_S)
        return 1

    def row(self) -> int:
        """Sends a row of figures."""
        return int(self._sender.send(_FIGURES))

    @functools.cached_property
    def _write_many(self) -> Callable[[], int]:
        write = self._writer(_MANY_ENVS)
        write()  # Completes no window yet.
        return write

    def _writer(self, envs: int) -> Callable[[], int]:
        writer = ReplayWriter(self._client, self._layout, envs, lambda: True)
        rounds = itertools.cycle(_ready_made(envs))

        def write() -> int:
            before = writer.transitions
            writer(next(rounds))
            written = writer.transitions - before
            return written // self._layout.env_steps_per_item

        return write


class SyntheticLearner:
    """The way of a learner to the server: batches and weights, and no training."""

    def __init__(self, address: str, layout: ReplayLayout) -> None:
        """Publishes first weights.

        Args:
          address: host:port of the server.
          layout: Of the replay table.
        """
        client = reverb.Client(address)
        signature = address_lib.ask(client)[tables.VARIABLES].signature
        self._row = tf.nest.map_structure(_random, signature)
        self._writer = RowWriter(client, tables.VARIABLES)
        self._address, self._layout = address, layout
        self.push()

    def push(self) -> int:
        """Publishes weights once."""
        self._writer.write(self._row)
        if not self._writer.flush(_ANSWER_TIMEOUT_S):
            raise TimeoutError(
                f"the server took no weights in {_ANSWER_TIMEOUT_S} s; see its log."
            )
        return 1

    def sample(self) -> int:
        """Takes some batches; returns how many items that were."""
        _, info = next(self._stacks)
        return int(tf.size(info.policy_train_step)) // self._layout.windows_per_item

    @functools.cached_property
    def _stacks(self) -> Iterator[Any]:
        return iter(
            replay_dataset(
                self._address, self._layout, Replay.batch_size, _IN_FLIGHT_ITEMS
            )
        )


class Load:
    """What this process can do to the server."""

    def __init__(self, port: int, first: int, layout: ReplayLayout) -> None:
        """Args: port; number of the first actor; layout of the replay table."""
        self._port, self._first, self._layout = port, first, layout
        self._address = f"localhost:{port}"
        self._client, info = address_lib.connect(self._address, lambda: False)
        require_signature(layout, info[tables.REPLAY].signature)
        self._learner = SyntheticLearner(self._address, layout)
        self._actors: list[SyntheticActor] = []
        self._random = random.Random(first)

    def sizes(self) -> dict[str, int]:
        """Bytes of an item, of the weights, and of an answer of `server_info`."""
        info = address_lib.ask(self._client)
        # The client shows what it has parsed only.
        raw = reverb.pybind.Client(self._address).ServerInfo(_ANSWER_TIMEOUT_S)
        return {
            "item_bytes": sizes.weights_bytes(info[tables.REPLAY].signature),
            "weights_bytes": sizes.weights_bytes(info[tables.VARIABLES].signature),
            "info_bytes": sum(len(each) for each in raw),
        }

    def connect(self, actors: int) -> dict[str, int]:
        """Connects so many actors, those of before included."""
        for number in range(len(self._actors), actors):
            actor = SyntheticActor(self._port, self._first + number, self._layout)
            self._actors.append(actor)
        return {"actors": len(self._actors)}

    def call_each(self, names: Sequence[str]) -> dict[str, int]:
        """Makes each of these calls once for each actor."""
        for name, actor in itertools.product(names, self._actors):
            self._call(name, actor)
        return {}

    def call(self, shares: Mapping[str, float], seconds: float) -> dict[str, int]:
        """Makes calls, at random in these shares, for each actor in turn.

        Args:
          shares: By the name of the call.
          seconds: For how long.

        Returns:
          How many calls, or items, by name.
        """
        counts: collections.Counter[str] = collections.Counter()
        end, actors = time.monotonic() + seconds, itertools.cycle(self._actors)
        names, weights = list(shares), list(shares.values())
        while time.monotonic() < end:
            [name] = self._random.choices(names, weights)
            counts[name] += self._call(name, next(actors))
        if "row" in shares:
            self._wait_until_kept()
        return dict(counts)

    def _call(self, name: str, actor: SyntheticActor) -> int:
        done: int = getattr(actor if hasattr(actor, name) else self._learner, name)()
        return done

    def idle(self, seconds: float) -> dict[str, int]:
        """Keeps all connections, and makes no call."""
        time.sleep(seconds)
        return {}

    def _wait_until_kept(self) -> None:
        """Waits until the server has worked off all rows.

        It takes them out of the table first, so another one is sent: once that is
        taken, those before it are kept.
        """
        self._wait_until_drained()
        self._actors[0].row()
        self._wait_until_drained()

    def _wait_until_drained(self) -> None:
        deadline = time.monotonic() + _DRAIN_TIMEOUT_S
        while address_lib.ask(self._client)[tables.TELEMETRY].current_size:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"the server has not taken all rows in {_DRAIN_TIMEOUT_S:.0f} s; "
                    "see its log."
                )
            time.sleep(5 * _POLL_S)


def _random(spec: tf.TensorSpec) -> np.ndarray:
    """Numbers that cannot be compressed to nothing."""
    values = np.random.default_rng(0).random(spec.shape.as_list())
    return np.asarray(values).astype(spec.dtype.as_numpy_dtype)


@functools.cache
def _ready_made(envs: int) -> tuple[Any, ...]:
    return tuple(steps_of(Case(), envs) for _ in range(_ROUNDS))


def _commands(path: Path) -> Iterator[dict[str, Any]]:
    """Commands as they are written, until this process is ended."""
    done = 0
    while True:
        # What follows the last newline may be half of a line.
        lines = path.read_text().split("\n")[:-1]
        yield from (json.loads(line) for line in lines[done:])
        done = len(lines)
        time.sleep(_POLL_S)


def main() -> int:
    """Does what the file says, and tells what was done."""
    process.StopSignal()
    devices.use_one_cpu_thread()
    layout = layout_of(Case(transitions_per_item=_PER_ITEM.value))
    load = Load(_PORT.value, _FIRST.value, layout)
    for number, command in enumerate(_commands(Path(_COMMANDS.value)), start=1):
        does = getattr(load, command.pop("do"))
        print(json.dumps({"command": number, **does(**command)}), flush=True)
    return EXIT_FINISHED


if __name__ == "__main__":
    _PORT = flags.DEFINE_integer("port", 8008, "Of the server.")
    _FIRST = flags.DEFINE_integer("first", 0, "Number of the first actor.")
    _PER_ITEM = flags.DEFINE_integer("transitions_per_item", 8, "Windows in an item.")
    _COMMANDS = flags.DEFINE_string("commands", "commands.jsonl", "File to read.")
    process.run(main)
