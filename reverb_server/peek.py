"""`python -m reverb_server.peek`: prints in words what the server of a run holds.

It changes nothing and may run beside the run. But Reverb counts whoever samples: each
item of the replay table that is printed counts as one sample, so the rate limiter lets
the learner take that many items fewer, once. An on-policy agent's queue loses them.
`--items=0` samples nothing there.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from typing import Any

import numpy as np
import reverb
import tensorflow as tf
from absl import flags

from experiment import definition, devices, process
from experiment import flags as shared_flags
from experiment.errors import check_number
from experiment.manifest import Manifest
from reverb_server import address as address_lib
from reverb_server import replay_layout, run_tables, tables
from reverb_server.rate_limiter import Waits, who_waits
from reverb_server.replay_layout import ReplayLayout, Step

_SERVER_ADDRESS = shared_flags.define_server_address()
_ITEMS = flags.DEFINE_integer(
    "items", 3, "Items of the replay table to print; each counts as one sample."
)

# Seconds to wait for the server, and for each item, and until its thread has said so.
_TIMEOUT_S = 5
_THREAD_S = 2

# Arrays of more numbers are shortened to so many at each end of each dimension.
_MAX_NUMBERS = 32
_EDGE_NUMBERS = 2

_STEP_TYPES = {0: "FIRST", 1: "MID", 2: "LAST"}


def describe(address: str, items: int) -> Iterator[str]:
    """Says what a server holds.

    Args:
      address: host:port of the server.
      items: Items of the replay table to sample and decode, at most.

    Yields:
      Lines, each as soon as it is known.

    Raises:
      ConfigurationError: Nobody answers at the address, it is no server of ours, or
        its experiment cannot be built here.
    """
    client, info = address_lib.connect(address, lambda: False, _TIMEOUT_S)
    manifest = run_tables.read_manifest(client, address, info)
    yield (
        f"run {manifest.run_id} of {manifest.gin_file}: {manifest.num_actors} actors, "
        f"seed {manifest.seed}, results in {manifest.root_dir}"
    )
    layout = _layout(manifest)
    replay_layout.require_signature(layout, info[tables.REPLAY].signature)
    for name in sorted(info):
        per_item = layout.env_steps_per_item if name == tables.REPLAY else None
        yield table_line(info[name], per_item)
    printed = 0
    for rows in _sampled(address, items):
        printed += 1
        yield f"item {printed}"
        yield from _item_lines(layout, rows)
    if printed < items:
        _, info = address_lib.connect(address, lambda: False, _TIMEOUT_S)
        yield (
            f"{printed} of {items} items: no other could be sampled within "
            f"{_TIMEOUT_S} s; {_limiter_state(info[tables.REPLAY])}"
        )


def table_line(table: Any, per_item: int | None = None) -> str:
    """Says how full a table is, how much it was used, and who has to wait.

    Args:
      table: What `server_info` said of it.
      per_item: Transitions in one item, if it holds transitions.
    """
    limiter = table.rate_limiter_info
    inserted, sampled = limiter.insert_stats.completed, limiter.sample_stats.completed

    def usage(factor: int, unit: str) -> str:
        return (
            f"{table.current_size * factor:,} of at most "
            f"{table.max_size * factor:,} {unit}, {inserted * factor:,} inserted, "
            f"{sampled * factor:,} sampled"
        )

    parts = [usage(1, "items")]
    if per_item:
        parts.append(usage(per_item, "transitions"))
    return f"table {table.name}: {'; '.join(parts)}; {_limiter_state(table)}"


def _limiter_state(table: Any) -> str:
    """Who has to wait, in words."""
    limiter = table.rate_limiter_info
    ratio = limiter.samples_per_insert
    return {
        Waits.FOR_FILLING: (
            f"samples wait until it is filled to {limiter.min_size_to_sample:,}"
        ),
        Waits.SAMPLES: f"samples wait for inserts, at {ratio:g} samples per insert",
        Waits.INSERTS: f"inserts wait for samples, at {ratio:g} samples per insert",
        Waits.NOBODY: "nobody waits",
    }[who_waits(table)]


def _layout(manifest: Manifest) -> ReplayLayout:
    """Of the run's replay table, derived as every role does."""
    experiment = definition.load_run(manifest)
    agent, _ = experiment.make_agent(experiment.environment())
    return replay_layout.replay_layout(agent, experiment.replay)


def _sampled(address: str, items: int) -> Iterator[np.ndarray]:
    """Samples items until one does not come in time.

    The table's own deadline takes the request back, so nothing is sampled later. It is
    of no use if the server has gone: Reverb's samplers wait for it for ever. So they
    run in a thread that can be left behind.

    Args:
      address: Of the server.
      items: How many, at most; not one more is asked for.

    Yields:
      uint8 arrays as the table's signature has them.
    """
    if not items:
        return
    found: queue.Queue[np.ndarray | None] = queue.Queue()

    def read() -> None:
        dataset = reverb.TrajectoryDataset.from_table_signature(
            address,
            tables.REPLAY,
            max_in_flight_samples_per_worker=1,
            num_workers_per_iterator=1,
            rate_limiter_timeout_ms=_TIMEOUT_S * 1_000,
            get_signature_timeout_secs=_TIMEOUT_S,
            max_samples=items,
        )
        for sample in dataset.as_numpy_iterator():
            found.put(sample.data["steps"])
        found.put(None)

    process.start_thread("peek", read)
    with contextlib.suppress(queue.Empty):
        while (rows := found.get(timeout=_TIMEOUT_S + _THREAD_S)) is not None:
            yield rows


def _item_lines(layout: ReplayLayout, rows: np.ndarray) -> Iterator[str]:
    """Two lines for each step of each window of an item."""
    shape = (-1, layout.stored_length, layout.codec.step_bytes)
    packed = rows.reshape(shape)
    windows = layout.codec.unpack_array(packed)
    before = layout.frames - 1
    looked_back = f", after frames that it shows too: {before}" if before else ""
    for window in range(len(packed)):
        yield f"  transition {window + 1}{looked_back}"
        for time in range(layout.stored_length):
            at = window, time
            yield from _step_lines(
                tf.nest.map_structure(lambda array, at=at: array[at], windows)
            )


def _step_lines(step: Step) -> Iterator[str]:
    """All that is stored of one step."""
    content = step.trajectory
    first, second = (
        _STEP_TYPES.get(int(number), str(number))
        for number in (content.step_type, content.next_step_type)
    )
    version = int(step.policy_train_step)
    policy = "random" if version == replay_layout.RANDOM_POLICY else f"of {version}"
    info = (
        f"; policy info {text_of(content.policy_info)}"
        if tf.nest.flatten(content.policy_info)
        else ""
    )
    yield (
        f"    {first} to {second}; action {text_of(content.action)}; "
        f"reward {text_of(content.reward)}; discount {text_of(content.discount)}; "
        f"policy {policy}{info}"
    )
    yield f"      observation {text_of(content.observation)}"


def text_of(nest: Any) -> str:
    """A nest of arrays on one line, as NumPy prints it; big arrays are shortened."""
    with np.printoptions(
        threshold=_MAX_NUMBERS, edgeitems=_EDGE_NUMBERS, floatmode="unique"
    ):
        text = " ".join(str(nest).split())
    if isinstance(nest, np.ndarray) and nest.size > _MAX_NUMBERS:
        return f"{nest.dtype} {list(nest.shape)} {text}"
    return text


def main() -> int:
    """Parses, asks, prints."""
    stop = process.StopSignal(grace_s=0)  # Nothing is lost: end at once.
    devices.use_one_cpu_thread()
    address = shared_flags.required(_SERVER_ADDRESS, "localhost:8008")
    check_number("--items", _ITEMS.value, at_least=0, integer=True)
    with contextlib.suppress(BrokenPipeError):  # As after `| head`.
        for line in describe(address, _ITEMS.value):
            print(line, flush=True)
    return stop.exit_code


if __name__ == "__main__":
    process.run(main)
