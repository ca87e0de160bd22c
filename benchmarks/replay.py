"""The way through the replay table: ours, by layout, against TF-Agents' stock path.

`python -m benchmarks.replay` writes ready-made steps, then samples batches of 64
transitions. Server, writer and sampler are processes of their own.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from absl import flags

from benchmarks import report, stock_processes, stock_replay
from benchmarks.stock_processes import Children
from experiment import process
from experiment.errors import EXIT_FINISHED
from launch.children import Child
from reverb_server import port as port_lib

# Transitions that the table holds, and is filled with before it is sampled.
TABLE_SIZE = 20_000


@dataclasses.dataclass(frozen=True)
class Case:
    """A layout of items.

    Attributes:
      frames: Whether steps have a frame of 84 by 84 bytes; else they are CartPole's.
      sequence_length: Steps in a window.
      transitions_per_item: Windows in an item; if it is 1, windows share steps.
    """

    frames: bool = False
    sequence_length: int = 2
    transitions_per_item: int = 8


CASES = (
    Case(transitions_per_item=1),
    Case(),
    Case(transitions_per_item=32),
    Case(sequence_length=6, transitions_per_item=1),
    Case(frames=True, transitions_per_item=1),
    Case(frames=True, sequence_length=5, transitions_per_item=1),
)


@dataclasses.dataclass(frozen=True)
class Figures:
    """What a layout comes to.

    Attributes:
      written_per_s: Transitions that reached the table.
      sampled_per_s: Transitions that came out in batches.
      bytes_per_step: Memory of the server for each step in a full table; None was not
        measured.
    """

    written_per_s: float
    sampled_per_s: float
    bytes_per_step: float | None


def measure(case: Case, seconds: float) -> Figures:
    """Writes until the table is full and the time is over, then samples.

    Args:
      case: The layout.
      seconds: To measure over, each of the two.

    Returns:
      The figures.

    Raises:
      RuntimeError: A process failed.
      TimeoutError: A process did not come up, or did not fill the table, in time.
    """
    role_flags = [f"--{name}={value}" for name, value in vars(case).items()]
    holder, port = port_lib.reserve(None)
    with holder, Children() as children:

        def start(role: str) -> Child:
            own = [f"--role={role}", f"--port={port}", f"--seconds={seconds}"]
            return children.start(role, "benchmarks.replay_roles", *own, *role_flags)

        server = start("server")
        empty = children.report(server)
        writer = start("writer")
        stock_processes.wait_for_count(children, server, "transitions", 1_000)
        written = stock_processes.rates(children, server, seconds)["transitions"]
        stock_processes.wait_for_count(children, server, "transitions", TABLE_SIZE)
        children.end(writer)
        full = stock_processes.last_report(server) or empty
        sampled = children.report(start("sampler"), seconds)
    return Figures(
        written_per_s=written,
        sampled_per_s=sampled["transitions_per_s"],
        bytes_per_step=(full["memory_bytes"] - empty["memory_bytes"]) / TABLE_SIZE,
    )


def _row(path: str, case: Case, figures: Figures, stock: Figures) -> dict[str, Any]:
    # The stock path was measured with the same steps in windows of 2 only.
    is_alike = not case.frames and case.sequence_length == Case.sequence_length
    # Of small steps, buffers take more memory than the steps themselves.
    size = figures.bytes_per_step if case.frames else None
    return {
        "path": path,
        "steps": "with frames of 84x84" if case.frames else "CartPole's",
        "window": case.sequence_length,
        "per item": case.transitions_per_item,
        "written/s": round(figures.written_per_s),
        "ratio": figures.written_per_s / stock.written_per_s if is_alike else None,
        "sampled/s": round(figures.sampled_per_s),
        "ratio ": figures.sampled_per_s / stock.sampled_per_s if is_alike else None,
        "bytes/step": None if size is None else round(size),
    }


def main(seconds: float, most_cases: int, json_path: str | None) -> int:
    """Measures, and prints the table."""
    told = report.Report("replay", {"seconds": seconds})
    stock_written = stock_replay.measure_write(seconds)
    stock_sampled = stock_replay.measure_sample(seconds)
    stock = Figures(stock_written, stock_sampled, None)
    stock_case = Case(transitions_per_item=1)
    told.rows.append(_row("TF-Agents' observer and dataset", stock_case, stock, stock))
    for case in CASES[: most_cases or None]:
        told.rows.append(_row("Antiphon", case, measure(case, seconds), stock))
    told.show()
    told.write(json_path)
    return EXIT_FINISHED


if __name__ == "__main__":
    _SECONDS = flags.DEFINE_float("seconds", 5.0, "To measure each figure over.")
    _JSON = report.define_json("replay")
    _MOST_CASES = flags.DEFINE_integer("most_cases", 0, "The first few; 0: all.")
    process.run(lambda: main(_SECONDS.value, _MOST_CASES.value, _JSON.value))
