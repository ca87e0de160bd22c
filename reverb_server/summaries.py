"""Figures of all processes, and what was configured, for TensorBoard."""

from __future__ import annotations

import io
import logging
import os
import socket
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from experiment import run_dir
from reverb_server import figures

# The first actors are written, so that nobody has to look at hundreds of curves.
MAX_ACTORS = 16

# TensorBoard shows so many points of a curve: a row that comes sooner after the one
# before it than this part of the time so far is left out.
_POINTS = 1_000


class Summaries:
    """Writes rows as scalars over train steps and over environment steps.

    Each process has a folder of its own. `tf.summary` takes 0.2 ms for each value, so
    the events of a row are put together here, in some 0.3 ms.
    """

    def __init__(self, root_dir: Path, config: str) -> None:
        """Writes the configuration.

        Args:
          root_dir: Folder of the run.
          config: All gin values in force.
        """
        self._folder = root_dir / run_dir.TELEMETRY_DIR
        now = f"{time.time():.0f}"  # TensorBoard reads files in order of their names.
        self._file = f"events.out.tfevents.{now}.{socket.gethostname()}.{os.getpid()}"
        # TensorBoard drops what a curve had beyond a place that it comes back to.
        last = run_dir.last_row(root_dir, figures.SERVER)
        self._steps = {axis: last.get(axis) or 0 for axis in figures.AXES}
        self._started_at = time.monotonic()
        self._written_at: dict[str, float] = {}
        # Markdown: what is indented by four is shown as it is.
        text = text_pb(run_dir.CONFIG, textwrap.indent(config, "    "))
        event = event_pb2.Event(wall_time=time.time(), summary=text)
        self._append(figures.SERVER, [event])

    def write(self, rows: Sequence[dict[str, Any]]) -> None:
        """Adds a point to each curve; a full disk costs points, not the run.

        Args:
          rows: Of any process, as `figures.FIGURES` describes them.
        """
        for row in rows:
            if row["role"] == figures.SERVER:
                self._steps = {axis: row[axis] for axis in figures.AXES}
        for row in rows:
            name = figures.process_name(row["role"], row.get("task", 0))
            if _has_curves(row) and self._is_due(name):
                self._append(name, self._events(row))

    def _is_due(self, name: str) -> bool:
        """Whether a point would be seen; if so, the next one is counted from now."""
        now = time.monotonic()
        if now - self._written_at.get(name, 0.0) < (now - self._started_at) / _POINTS:
            return False
        self._written_at[name] = now
        return True

    def _events(self, row: dict[str, Any]) -> Iterator[event_pb2.Event]:
        """One for each axis."""
        values = {
            each.name: figures.number(row, each)
            for each in figures.numbers(row["role"])
        }
        for axis, group in figures.AXES.items():
            event = event_pb2.Event(wall_time=row["time"], step=self._steps[axis])
            for name, value in values.items():
                if value is not None:
                    event.summary.value.add(tag=f"{group}/{name}", simple_value=value)
            yield event

    def _append(self, name: str, events: Iterable[event_pb2.Event]) -> None:
        """Adds events to the file of a process."""
        path = self._folder / name / self._file
        data = io.BytesIO()
        records = RecordWriter(data)
        if not path.exists() or not path.stat().st_size:
            # Without, TensorBoard would take going back on an axis for a restart.
            version = event_pb2.Event(file_version="brain.Event:2")
            records.write(version.SerializeToString())
        for event in events:
            records.write(event.SerializeToString())
        try:
            run_dir.append_bytes(path, data.getvalue())
        except OSError as error:
            logging.error("a point of the curves of %s is lost: %s", name, error)  # noqa: TRY400


def _has_curves(row: dict[str, Any]) -> bool:
    """Whether what sent a row has a folder of its own."""
    if row["role"] == figures.ACTOR:
        return row["task"] in range(MAX_ACTORS)
    return row["role"] in figures.ALL_PROCESSES
