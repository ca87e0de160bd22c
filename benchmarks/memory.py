"""Memory of each role, and how it grows over a million environment steps.

`python -m benchmarks.memory` runs two actors and a learner. It starts to count once the
replay table is full, since a table that fills takes memory, and nothing else should.
"""

from __future__ import annotations

from typing import Any

from absl import flags

from benchmarks import report
from benchmarks.our_run import OurRun
from benchmarks.stock_processes import Children
from experiment import process
from experiment.errors import EXIT_FINISHED

# Seconds that a million steps may take at most.
_TIMEOUT_S = 1_800.0


def measure(env_steps: int, max_size: int, settle_steps: int) -> list[dict[str, Any]]:
    """Runs until so many environment steps were taken with a full table.

    Args:
      env_steps: To measure over.
      max_size: Transitions that the replay table holds.
      settle_steps: Environment steps between a full table and the first look.

    Returns:
      For each process its memory at the beginning and at the end, in MB.

    Raises:
      RuntimeError: The run failed.
      TimeoutError: It was too slow.
    """
    with Children() as children:
        run = OurRun(children, 2, [f"Replay.max_size = {max_size}"])
        run.wait_until_warm()
        begin = max_size + settle_steps
        first = run.wait_for_env_steps(begin, _TIMEOUT_S)
        last = run.wait_for_env_steps(begin + env_steps, _TIMEOUT_S)
        rows = run.rows()
    return [
        {"process": name, "MB": round(start), "MB later": round(end)}
        | {"growth, MB": round(end - start)}
        for name, start, end in _memories(rows, first, last)
    ]


def _memories(
    rows: list[dict[str, Any]], first: float, last: float
) -> list[tuple[str, float, float]]:
    """Name, memory at the first time, memory at the last time."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if "memory_mb" in row:
            name = f"{row['role']} {row['task']}" if row["role"] == "actor" else None
            series = found.setdefault(name or row["role"], [])
            series.append((row["time"], row["memory_mb"]))
    return [
        (name, _at(series, first), _at(series, last))
        for name, series in sorted(found.items())
    ]


def _at(series: list[tuple[float, float]], time: float) -> float:
    return min(series, key=lambda pair: abs(pair[0] - time))[1]


def main(
    env_steps: int, max_size: int, settle_steps: int, json_path: str | None
) -> int:
    """Measures, and prints the table."""
    told = report.Report("memory", {"env_steps": env_steps, "max_size": max_size})
    told.rows.extend(measure(env_steps, max_size, settle_steps))
    told.show()
    told.write(json_path)
    return EXIT_FINISHED


if __name__ == "__main__":
    _ENV_STEPS = flags.DEFINE_integer("env_steps", 1_000_000, "To measure over.")
    _MAX_SIZE = flags.DEFINE_integer("max_size", 100_000, "Of the replay table.")
    _JSON = report.define_json("memory")
    _SETTLE = flags.DEFINE_integer(
        "settle_steps", 50_000, "Environment steps from a full table to the first look."
    )
    process.run(
        lambda: main(_ENV_STEPS.value, _MAX_SIZE.value, _SETTLE.value, _JSON.value)
    )
