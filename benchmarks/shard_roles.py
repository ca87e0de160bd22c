"""The processes of `benchmarks.shards`: a server, a writer or a sampler."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Sequence

from absl import flags

from benchmarks import replay_roles
from benchmarks.replay import Case
from experiment import devices, process
from experiment.errors import EXIT_FINISHED
from learner.batch_queue import BatchQueue, Further
from reverb_server import address as address_lib
from reverb_server import sharding
from reverb_server.replay_dataset import replay_dataset
from reverb_server.replay_writer import ReplayWriter
from reverb_server.sharded_writer import Part, ShardedWriter

_ENVS = 32
_ROUNDS = 32
_BATCH_SIZE = 64

# Batches that are ready at most, as the learner has them by default.
_CAPACITY = 64
_IN_FLIGHT_ITEMS = 512
_WARM_UP = 10


def write(case: Case, ports: Sequence[int]) -> None:
    """Writes ready-made steps until the process is ended, as an actor spreads them."""
    layout, parts = replay_roles.layout_of(case), []
    for number, port in enumerate(ports):
        own = sharding.environments_of(number, len(ports), 0, _ENVS)
        client, _ = address_lib.connect(f"localhost:{port}", lambda: False)
        writer = ReplayWriter(client, layout, len(range(_ENVS)[own]), lambda: True)
        parts.append(Part(writer, own, lambda: False))
    write_steps: ReplayWriter | ShardedWriter = parts[0].writer
    if len(parts) > 1:
        write_steps = ShardedWriter(parts)
    rounds = itertools.cycle(
        [replay_roles.steps_of(case, _ENVS) for _ in range(_ROUNDS)]
    )
    for number, steps in enumerate(rounds):
        write_steps(steps)
        if number == _WARM_UP:
            print(json.dumps({"rounds": number}), flush=True)


def sample(case: Case, ports: Sequence[int], seconds: float) -> None:
    """Takes batches from the queue that all servers fill, and tells how many."""
    dataset, *further = (
        replay_dataset(
            f"localhost:{port}",
            replay_roles.layout_of(case),
            _BATCH_SIZE,
            math.ceil(_IN_FLIGHT_ITEMS / len(ports)),
            is_shard=number > 0,
        )
        for number, port in enumerate(ports)
    )
    queue = BatchQueue(dataset, _CAPACITY, [Further(each) for each in further])
    taken, start = -_WARM_UP, time.monotonic()
    while taken < 0 or time.monotonic() - start < seconds:
        if queue.wait(_CAPACITY // 2, timeout_s=1.0):
            next(queue)
            taken += 1
            if taken == 0:
                start = time.monotonic()
    transitions = taken * _CAPACITY // 2 * _BATCH_SIZE
    rate = transitions / (time.monotonic() - start)
    print(json.dumps({"transitions_per_s": rate}), flush=True)


def main() -> int:
    """Does what `--role` says."""
    process.StopSignal()
    devices.use_one_cpu_thread()
    case = Case(transitions_per_item=_PER_ITEM.value)
    ports = _PORTS.value
    if _ROLE.value == "server":
        replay_roles.serve(case, ports[0])
    elif _ROLE.value == "writer":
        write(case, ports)
    else:
        sample(case, ports, _SECONDS.value)
    return EXIT_FINISHED


if __name__ == "__main__":
    _ROLE = flags.DEFINE_enum("role", None, ["server", "writer", "sampler"], "Which.")
    _PORTS = flags.DEFINE_multi_integer("port", [], "Of each server.")
    _PER_ITEM = flags.DEFINE_integer("transitions_per_item", 8, "Windows in an item.")
    _SECONDS = flags.DEFINE_float("seconds", 4.0, "To sample over.")
    process.run(main)
