"""A run that is served in the process of the tests, and members of it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiment.definition import Experiment
from experiment.manifest import Manifest
from reverb_server import port as port_lib
from reverb_server.membership import Membership
from reverb_server.server import RunServer
from tests.reverb_server.run_for_tests import StopByHand


@dataclasses.dataclass(frozen=True)
class ServedRun:
    """A run with its server; it ends with the test."""

    server: RunServer
    manifest: Manifest
    members: contextlib.ExitStack

    @property
    def address(self) -> str:
        """host:port."""
        return self.server.address

    def info(self, table: str) -> Any:
        """What the server says of a table."""
        return self.server.client.server_info(timeout=5)[table]

    def join(self, role: str, task: int = 0) -> Membership:
        """Joins as a role does."""
        run = Membership(self.address, role, StopByHand(), task)
        self.members.callback(run.leave)
        return run


@contextlib.contextmanager
def serve(
    experiment: Experiment,
    root_dir: Path,
    seed: int = 0,
    num_actors: int = 1,
    resumed: bool = False,
    gin_text: str = "",
) -> Iterator[ServedRun]:
    """Serves a run until the end of the block; members leave before."""
    manifest = Manifest.new(
        gin_file="test.gin",
        gin_text=gin_text,
        root_dir=str(root_dir),
        seed=seed,
        num_actors=num_actors,
        resumed=resumed,
    )
    root_dir.mkdir(parents=True, exist_ok=True)
    holder, port = port_lib.reserve(None)
    with holder, contextlib.ExitStack() as stack:
        server = RunServer(experiment, manifest, port)
        stack.callback(server.stop)
        with contextlib.ExitStack() as members:
            yield ServedRun(server, manifest, members)
