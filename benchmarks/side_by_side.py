"""Two checkouts at the same time on the same machine: what does a change cost?

`python -m benchmarks.side_by_side --other=CHECKOUT` runs the launcher of both, each in
a terminal with its live view, in both orders of starting, and compares how fast they go
over the same seconds. With two runs on few cores, both are slower than alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from absl import flags

from benchmarks import report
from benchmarks.our_run import OurRun
from benchmarks.stock_distributed import Figures
from benchmarks.stock_processes import Children
from experiment import flags as shared_flags
from experiment import process
from experiment.errors import EXIT_FINISHED

_OURS = Path(__file__).resolve().parent.parent


def measure(checkouts: tuple[Path, Path], seconds: float) -> list[Figures]:
    """Starts both, the first one first, and measures both over the same seconds.

    Args:
      checkouts: Their folders.
      seconds: To measure over, once both train.

    Returns:
      Environment steps and updates per second of each.

    Raises:
      RuntimeError: A run failed.
      TimeoutError: One did not come up in time.
    """
    with Children() as first, Children() as second:
        runs = [
            OurRun(children, 1, terminal_of=checkout)
            for children, checkout in zip((first, second), checkouts)
        ]
        for run in runs:
            run.wait_until_warm()
        begun = [run.counted() for run in runs]
        for run, counts in zip(runs, begun):
            run.wait_seconds(counts, seconds)
        return [run.since(counts) for run, counts in zip(runs, begun)]


def main(other: str, seconds: float, rounds: int, json_path: str | None) -> int:
    """Measures in both orders by turns, and prints the ratios."""
    told = report.Report("side_by_side", {"seconds": seconds, "rounds": rounds})
    theirs = Path(other).resolve()
    for number in range(rounds):
        is_first = number % 2 == 0
        order = (_OURS, theirs) if is_first else (theirs, _OURS)
        first, second = measure(order, seconds)
        told.rows.append(
            _row(is_first, *((first, second) if is_first else (second, first)))
        )
    told.show()
    told.write(json_path)
    return EXIT_FINISHED


def _row(is_first: bool, ours: Figures, theirs: Figures) -> dict[str, Any]:
    return {
        "started first": "this" if is_first else "the other",
        "env steps/s": round(ours.env_steps_per_s),
        "the other's": round(theirs.env_steps_per_s),
        "env steps, ratio": ours.env_steps_per_s / theirs.env_steps_per_s,
        "updates/s": round(ours.updates_per_s),
        "of the other": round(theirs.updates_per_s),
        "updates, ratio": ours.updates_per_s / theirs.updates_per_s,
    }


if __name__ == "__main__":
    _OTHER = flags.DEFINE_string("other", None, "Folder of the other checkout.")
    _SECONDS = flags.DEFINE_float("seconds", 120.0, "To measure over, in each round.")
    _ROUNDS = flags.DEFINE_integer("rounds", 2, "How often; who starts first changes.")
    _JSON = report.define_json("side_by_side")
    process.run(
        lambda: main(
            shared_flags.required(_OTHER, "../old"),
            _SECONDS.value,
            _ROUNDS.value,
            _JSON.value,
        )
    )
