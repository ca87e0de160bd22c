"""The server of a run: who it is, what it holds, and who was heard of."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import reverb

from experiment import definition, machine, run_dir
from experiment.manifest import Manifest
from launch.doctor.finding import OK, WARN, Check, Finding
from reverb_server import address as address_lib
from reverb_server import (
    figures,
    peek,
    priorities,
    replay_layout,
    run_tables,
    tables,
)
from reverb_server.motion import SILENT_S

# Seconds to wait for the server, and for an answer of one that has answered.
_CONNECT_TIMEOUT_S = 5
_ANSWER_TIMEOUT_S = 5

# Times that it is asked, for the median.
_ANSWERS = 11

# Milliseconds above which a server is far away or busy.
_SLOW_MS = 100


def checks(address: str) -> Iterator[Check]:
    """Of a server; each builds on those before."""
    server = Server(address)
    yield Check("server", server.connect)
    yield Check("run", server.read_run)
    yield Check("versions", server.versions)
    yield Check("layout", server.layout)
    yield Check("tables", server.contents)
    yield Check("members", server.members)


class Server:
    """A server, and what it says of itself."""

    _client: reverb.Client
    _info: dict[str, Any]
    _manifest: Manifest

    def __init__(self, address: str) -> None:
        """Connects to nobody yet."""
        self._address = address

    def connect(self) -> Finding:
        """Reaches it, and measures how long an answer takes."""
        self._client, self._info = address_lib.connect(
            self._address, lambda: False, _CONNECT_TIMEOUT_S
        )
        median = statistics.median(self._answer_ms() for _ in range(_ANSWERS))
        found = f"{self._address} answers in {median:.1f} ms"
        if median > _SLOW_MS:
            remedy = "see whether its machine or the network is busy"
            return Finding(WARN, "server", found, remedy)
        return Finding(OK, "server", found)

    def _answer_ms(self) -> float:
        start = time.monotonic()
        self._client.server_info(timeout=_ANSWER_TIMEOUT_S)
        return (time.monotonic() - start) * 1_000

    def read_run(self) -> Finding:
        """Reads the manifest."""
        self._manifest = run_tables.read_manifest(
            self._client, self._address, self._info
        )
        run = self._manifest
        return Finding(
            OK,
            "run",
            f"{run.run_id} of {run.gin_file}, {run.num_actors} actors, server number "
            f"{run.server_start}",
        )

    def versions(self) -> Finding:
        """Compares code and packages of the server with those here."""
        here, there = machine.describe(), self._manifest.machine
        differ = [
            f"{name} is {here.get(name)} here, {there.get(name)} there"
            for name in machine.VERSIONS
            if here.get(name) != there.get(name)
        ]
        if differ:
            remedy = "use the same code and packages on all hosts"
            return Finding(WARN, "versions", ", ".join(differ), remedy)
        return Finding(OK, "versions", "as here")

    def layout(self) -> Finding:
        """Compares its tables with what would be built here."""
        experiment = definition.load_run(self._manifest)
        agent, train_step = experiment.make_agent(experiment.environment())
        layout = replay_layout.replay_layout(agent, experiment.replay)
        replay_layout.require_signature(layout, self._info[tables.REPLAY].signature)
        largest = priorities.largest_priority(experiment.replay)
        weights = tables.weights_of(agent, train_step, largest)
        tables.require_weights(self._client, weights, _ANSWER_TIMEOUT_S)
        return Finding(OK, "layout", "experience and weights are as they would be here")

    def contents(self) -> Finding:
        """Sizes, and whether anything is missing to go on."""
        rows = {name: table.current_size for name, table in self._info.items()}
        others = [
            f"{name} {rows[name]}" for name in sorted(rows) if name != tables.REPLAY
        ]
        found = f"{peek.table_line(self._info[tables.REPLAY])}; {', '.join(others)}"
        if rows[tables.END]:
            return Finding(OK, "tables", f"{found}; the run has ended")
        if not rows[tables.VARIABLES]:
            text = f"{found}: no weights yet"
            return Finding(WARN, "tables", text, "see whether the learner has started")
        return Finding(OK, "tables", found)

    def members(self) -> Finding:
        """When each role was last heard of, if its figures can be read from here."""
        root_dir = Path(self._manifest.root_dir)
        if not self._is_in(root_dir):
            text = f"not known here: {root_dir} is on the server's host"
            return Finding(OK, "members", text)
        rows = {role: run_dir.last_row(root_dir, role) for role in figures.PROCESSES}
        ages = {role: time.time() - row["time"] for role, row in rows.items() if row}
        missing = [
            role for role in figures.PROCESSES if ages.get(role, SILENT_S) >= SILENT_S
        ]
        heard = ", ".join(f"{role} {age:.0f} s ago" for role, age in ages.items())
        found = f"heard of: {heard or 'nobody'}"
        if missing and not self._info[tables.END].current_size:
            text = f"{found}; not for {SILENT_S:.0f} s: {', '.join(missing)}"
            return Finding(WARN, "members", text, f"see the logs in {root_dir}")
        return Finding(OK, "members", found)

    def _is_in(self, root_dir: Path) -> bool:
        """Whether the run's folder is, on this host too, that of this run."""
        if not (root_dir / run_dir.MANIFEST).exists():
            return False
        return run_dir.read_manifest(root_dir).run_id == self._manifest.run_id
