"""A server of a small run that is started, resumed, and given experience."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import portpicker
import pytest

from experiment import definition, run_dir
from experiment.manifest import Manifest
from reverb_server import tables
from reverb_server.replay_layout import replay_layout
from reverb_server.replay_writer import ReplayWriter
from reverb_server.server import RunServer
from reverb_server.telemetry import TelemetrySender
from tests.reverb_server.conftest import Built
from tests.reverb_server.episodes import batches, experience
from tests.reverb_server.run_for_tests import GIN_TEXT, manifest
from tests.reverb_server.waiting import wait_until

ITEM = 8

Start = Callable[..., RunServer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the server of a run, or of its resume; all end with the test."""
    with contextlib.ExitStack() as stack:

        def make(
            run: Manifest | None = None, changes: str = "", **arguments: Any
        ) -> RunServer:
            experiment = definition.load_text(GIN_TEXT + changes)
            port = portpicker.pick_unused_port()
            run = run or manifest(tmp_path)
            server = RunServer(experiment, run, port, **arguments)
            stack.callback(server._server.stop)
            return server

        yield make


def resumed(run: RunServer) -> Manifest:
    """The run once more, with its next server; the one before is stopped."""
    run.stop()
    before = run_dir.read_manifest(Path(run.manifest.root_dir))
    return dataclasses.replace(before, server_start=before.server_start + 1)


def insert(run: RunServer, cartpole: Built, items: int) -> None:
    """Inserts items of eight transitions each."""
    before = run.client.server_info(5)[tables.REPLAY]
    wanted = before.rate_limiter_info.insert_stats.completed + items
    layout = replay_layout(cartpole.agent, definition.load_text(GIN_TEXT).replay)
    writer = ReplayWriter(run.client, layout, ITEM, lambda: True)
    for steps in batches(experience([[items]] * ITEM)):
        writer(steps)
    wait_until(lambda: inserted(run) == wanted)


def inserted(run: RunServer) -> int:
    """Items that the table has counted."""
    limiter = run.client.server_info(5)[tables.REPLAY].rate_limiter_info
    return int(limiter.insert_stats.completed)


def serve_once(run: RunServer) -> None:
    """Keeps what there is."""
    answers = iter([False, True])
    run.serve(lambda seconds: next(answers))


def own_row(run: RunServer, tmp_path: Path) -> dict[str, Any]:
    """The newest row of the server's own, now."""
    TelemetrySender(run.client, "actor", 0).send({})
    serve_once(run)
    return run_dir.last_row(tmp_path, "reverb_server")
