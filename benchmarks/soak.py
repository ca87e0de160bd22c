"""Whether a run stays as it is: memory, threads and open files of each process.

`python -m benchmarks.soak --minutes=10` trains CartPole, waits until the replay table
is full, and then looks again and again. It fails if a process grows.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import psutil
from absl import flags

from benchmarks import report
from benchmarks.chaos import ENDLESS, ROLES
from benchmarks.stock_processes import Children
from benchmarks.watched_run import WatchedRun
from experiment import process
from experiment.errors import EXIT_FAILED, EXIT_FINISHED

_LOOK_S = 2.0

# Transitions of the replay table, so that it is full soon.
_MAX_SIZE = 20_000
_FULL_TIMEOUT_S = 600.0

# What a process may grow by, from the first third of the looks to the last. Threads of
# libraries come and go.
_ALLOWED = {"MB": 20.0, "threads": 4.0, "files": 4.0}


def look(run: WatchedRun) -> dict[str, dict[str, float]]:
    """Memory, threads and open files of each process, the launcher's too."""
    processes = {**run.processes(), "launch": psutil.Process(run.launcher.pid)}
    return {
        name: {
            "MB": each.memory_info().rss / 2**20,
            "threads": each.num_threads(),
            "files": each.num_fds(),
        }
        for name, each in processes.items()
    }


def growths(looks: list[dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
    """For each process and figure, its median in the first and in the last third."""
    third = max(1, len(looks) // 3)
    rows = []
    for name in sorted(looks[0]):
        for figure, allowed in _ALLOWED.items():
            values = [each[name][figure] for each in looks]
            first = statistics.median(values[:third])
            last = statistics.median(values[-third:])
            row = {"process": name, "figure": figure, "first": first, "last": last}
            rows.append({**row, "growth": last - first, "allowed": allowed})
    return rows


def main(minutes: float, json_path: str | None) -> int:
    """Runs, looks, tells."""
    told = report.Report("soak", {"minutes": minutes})
    with Children() as children:
        full = f"--gin_bindings=Replay.max_size = {_MAX_SIZE}"
        run = WatchedRun(children, children.folder / "run", ROLES, *ENDLESS, full)
        run.wait_until_started()
        children.wait(
            "a full replay table",
            lambda: run.figure("reverb_server", "env_steps") > 2 * _MAX_SIZE or None,
            _FULL_TIMEOUT_S,
        )
        looks: list[dict[str, dict[str, float]]] = []
        end = time.monotonic() + 60 * minutes
        while not looks or time.monotonic() < end:
            looks.append(look(run))
            time.sleep(_LOOK_S)
    told.rows.extend(growths(looks))
    told.show()
    told.write(json_path)
    has_grown = any(row["growth"] > row["allowed"] for row in told.rows)
    return EXIT_FAILED if has_grown else EXIT_FINISHED


if __name__ == "__main__":
    _MINUTES = flags.DEFINE_float("minutes", 10.0, "To look over.")
    _JSON = report.define_json("soak")
    process.run(lambda: main(_MINUTES.value, _JSON.value))
