"""The replay on one server and on several: what is written, what is sampled.

`python -m benchmarks.shards` writes ready-made steps from some processes, as actors
write, then samples batches as the learner does. All servers are on this machine, so
they share its processors: more of them can pay only if it has some to spare.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from absl import flags

from benchmarks import report
from benchmarks.stock_processes import START_TIMEOUT_S, Children, last_report
from experiment import process
from experiment.errors import EXIT_FINISHED
from launch.children import Child
from reverb_server import port as port_lib

_WRITERS = 2

# One transition in an item costs a server most; eight are the default.
_PER_ITEM = (1, 8)

# Transitions in all tables together before anything is sampled.
_FILLED = 10_000


def measure(servers: int, per_item: int, seconds: float) -> tuple[float, float]:
    """Writes for so long, and until there is enough; then samples for so long.

    Args:
      servers: To spread the replay over.
      per_item: Transitions in an item.
      seconds: To measure over, each of the two.

    Returns:
      Transitions written and transitions sampled, a second.

    Raises:
      RuntimeError: A process failed.
      TimeoutError: A process did not come up, or did not write enough, in time.
    """
    held = [port_lib.reserve(None) for _ in range(servers)]
    ports = [f"--port={port}" for _, port in held]
    with contextlib.ExitStack() as stack, Children() as children:
        for holder, _ in held:
            stack.enter_context(holder)
        item = f"--transitions_per_item={per_item}"

        def start(name: str, role: str, *own: str) -> Child:
            module = "benchmarks.shard_roles"
            return children.start(name, module, f"--role={role}", item, *own)

        serving = [
            start(f"server-{number}", "server", port)
            for number, port in enumerate(ports)
        ]
        children.wait("servers", lambda: _total(serving), START_TIMEOUT_S)
        writers = [
            start(f"writer-{each}", "writer", *ports) for each in range(_WRITERS)
        ]
        for writer in writers:
            children.report(writer)
        written = _rate(children, serving, seconds)
        children.wait(
            "filled tables", lambda: _total(serving, _FILLED), START_TIMEOUT_S
        )
        for writer in writers:
            children.end(writer)
        sampler = start("sampler", "sampler", f"--seconds={seconds}", *ports)
        sampled = children.report(sampler, seconds)
    return written, sampled["transitions_per_s"]


def _total(serving: Sequence[Child], at_least: float = 0.0) -> float | None:
    """Transitions written to all servers; None if these do not all report so many."""
    reports = [last_report(server) for server in serving]
    counts = [each["transitions"] for each in reports if each]
    is_enough = len(counts) == len(serving) and sum(counts) >= at_least
    return sum(counts) if is_enough else None


def _rate(children: Children, serving: Sequence[Child], seconds: float) -> float:
    """Transitions a second that all servers are written, from now on."""

    def growth(server: Child) -> float:
        first = last_report(server) or {}

        def later() -> dict[str, float] | None:
            found = last_report(server)
            return found if found and found["time"] - first["time"] >= seconds else None

        last = children.wait("counts", later, seconds + START_TIMEOUT_S)
        grown = last["transitions"] - first["transitions"]
        return grown / (last["time"] - first["time"])

    return sum(map(growth, serving))


def main(seconds: float, most_servers: int, most_cases: int, path: str | None) -> int:
    """Measures, and prints the table: ratios to one server."""
    told = report.Report("shards", {"seconds": seconds, "writers": _WRITERS})
    rows: list[dict[str, Any]] = []
    for per_item in _PER_ITEM[: most_cases or None]:
        alone: tuple[float, float] | None = None
        for servers in range(1, most_servers + 1):
            written, sampled = measure(servers, per_item, seconds)
            alone = alone or (written, sampled)
            rows.append(
                {
                    "per item": per_item,
                    "servers": servers,
                    "written/s": round(written),
                    "ratio": written / alone[0],
                    "sampled/s": round(sampled),
                    "ratio ": sampled / alone[1],
                }
            )
    told.rows += rows
    told.show()
    told.write(path)
    return EXIT_FINISHED


if __name__ == "__main__":
    _SECONDS = flags.DEFINE_float("seconds", 4.0, "To measure each figure over.")
    _JSON = report.define_json("shards")
    _MOST_SERVERS = flags.DEFINE_integer("most_servers", 2, "From 1 to so many.")
    _MOST_CASES = flags.DEFINE_integer("most_cases", 0, "The first few; 0: all.")
    process.run(
        lambda: main(
            _SECONDS.value, _MOST_SERVERS.value, _MOST_CASES.value, _JSON.value
        )
    )
