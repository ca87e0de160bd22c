"""Makes a checkpoint that Reverb loads out of a snapshot and today's settings.

A table that Reverb loads has the limiter, the size and the signature that it was
stored with, whatever the program asks for (google-deepmind/reverb#103). So the stored
record of the table is written anew, with the settings in force and the counters as they
were. Other tables are left out: their content is of the server that died.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import reverb
import tensorflow as tf
from reverb import reverb_types
from reverb.cc import schema_pb2
from reverb.cc.checkpointing import checkpoint_pb2

from experiment.errors import ConfigurationError, one_line
from reverb_server import replay_snapshots

# How Reverb compresses its records (reverb/cc/platform/tfrecord_checkpointer.cc).
_COMPRESSION = "ZLIB"


class DamagedSnapshotError(Exception):
    """A snapshot cannot be read; its text says why."""


def make_checkpoint(snapshot: Path, working: Path, table: reverb.Table) -> int:
    """Writes what the server is to load.

    Args:
      snapshot: Folder of a snapshot.
      working: Folder of Reverb's checkpointer.
      table: As the settings of today make it; not served yet.

    Returns:
      The items that will be restored.

    Raises:
      ConfigurationError: The snapshot is of other data than the table is made for.
      DamagedSnapshotError: It cannot be read.
      OSError: The checkpoint cannot be written.
    """
    place = working / "restored"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    try:
        items = sum(1 for _ in _items(snapshot, table.name))
        stored = _stored_record(snapshot, table.name)
    except tf.errors.OpError as error:
        raise DamagedSnapshotError(one_line(error)) from error
    record, dropped = _record(stored, table.info, items)
    _write(place / replay_snapshots.TABLES, iter([record.SerializeToString()]))
    kept = (
        item
        for number, item in enumerate(_items(snapshot, table.name))
        if number >= dropped
    )
    _write(place / replay_snapshots.ITEMS, kept)
    _link(snapshot / replay_snapshots.CHUNKS, place / replay_snapshots.CHUNKS)
    (place / replay_snapshots.DONE).touch()
    return items - dropped


def _stored_record(snapshot: Path, name: str) -> checkpoint_pb2.PriorityTableCheckpoint:
    """How the table was stored."""
    for raw in _read(snapshot / replay_snapshots.TABLES):
        record = checkpoint_pb2.PriorityTableCheckpoint.FromString(raw)
        if record.table_name == name:
            return record
    raise DamagedSnapshotError(f"it holds no table {name!r}")


def _record(
    stored: checkpoint_pb2.PriorityTableCheckpoint,
    wanted: reverb_types.TableInfo,
    items: int,
) -> tuple[checkpoint_pb2.PriorityTableCheckpoint, int]:
    """The stored table with the settings wanted, and how many old items it drops."""
    before = reverb_types.TableInfo.from_serialized_proto(
        schema_pb2.TableInfo(signature=stored.signature).SerializeToString()
    ).signature
    if before != wanted.signature:
        raise ConfigurationError(
            f"the stored replay table holds {before}, but the settings of today make "
            f"{wanted.signature}; take back what you changed (Replay.transitions_per_"
            "item or what it follows from: batch_size, priorities, sequences; "
            "Replay.frame_stack, the agent's n_step, or its data), or give up the "
            "stored experience by --discard_replay."
        )
    record = checkpoint_pb2.PriorityTableCheckpoint()
    record.CopyFrom(stored)
    record.max_size = wanted.max_size
    record.sampler.CopyFrom(wanted.sampler_options)
    _set_limiter(record.rate_limiter, wanted.rate_limiter_info)
    dropped = max(0, items - wanted.max_size)
    record.rate_limiter.delete_count += dropped
    return record, dropped


def _set_limiter(
    record: checkpoint_pb2.RateLimiterCheckpoint, wanted: schema_pb2.RateLimiterInfo
) -> None:
    """Sets the limiter, and the count of samples so that it holds from now on.

    Reverb lets inserts * samples_per_insert - samples be between two bounds. Of a run
    with another ratio before, that is far out of them: one side would wait until the
    whole past is made up for.
    """
    ahead = record.insert_count * record.samples_per_insert - record.sample_count
    # Samples on their way to a learner that is gone were counted, and taken in vain.
    ahead = min(max(ahead, (wanted.min_diff + wanted.max_diff) / 2), wanted.max_diff)
    samples = record.insert_count * wanted.samples_per_insert - ahead
    record.sample_count = max(0, round(samples))
    record.samples_per_insert = wanted.samples_per_insert
    record.min_diff = wanted.min_diff
    record.max_diff = wanted.max_diff
    record.min_size_to_sample = wanted.min_size_to_sample


def _items(snapshot: Path, table: str) -> Iterator[bytes]:
    """The items of a table, oldest first, as they are stored."""
    for raw in _read(snapshot / replay_snapshots.ITEMS):
        if schema_pb2.PrioritizedItem.FromString(raw).table == table:
            yield raw


def _read(path: Path) -> Iterator[bytes]:
    records = tf.data.TFRecordDataset(str(path), compression_type=_COMPRESSION)
    yield from records.as_numpy_iterator()


def _write(path: Path, records: Iterator[bytes]) -> None:
    options = tf.io.TFRecordOptions(compression_type=_COMPRESSION)
    try:
        with tf.io.TFRecordWriter(str(path), options) as writer:
            for record in records:
                writer.write(record)
    except tf.errors.OpError as error:
        raise OSError(one_line(error)) from error


def _link(source: Path, target: Path) -> None:
    """A second name for a large file, or a copy where there are no such names."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
