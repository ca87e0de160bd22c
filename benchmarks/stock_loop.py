"""The loop of TF-Agents' DQN tutorial, in one process: how fast it is.

`python -m benchmarks.stock_loop --seconds=5` prints the figures as one JSON line.
"""

from __future__ import annotations

import dataclasses
import json

from absl import flags

from benchmarks.stock_distributed import Figures
from benchmarks.stock_processes import Children
from experiment import process
from experiment.errors import EXIT_FINISHED


def measure(seconds: float) -> Figures:
    """Runs the loop in a fresh process.

    Args:
      seconds: To measure over, once the loop has warmed up.

    Returns:
      Two equal figures: the loop takes one environment step for every update.

    Raises:
      RuntimeError: The process failed.
      TimeoutError: It was not done in time.
    """
    with Children() as children:
        loop = children.start("loop", "benchmarks.stock_loop", f"--seconds={seconds}")
        return Figures(**children.report(loop, seconds))


def main(seconds: float) -> int:
    """Runs the loop in this process."""
    # Needs TensorFlow, which a process that only measures does not.
    from benchmarks import tutorial_loop  # noqa: PLC0415

    iterations_per_s = tutorial_loop.run(seconds)
    figures = Figures(env_steps_per_s=iterations_per_s, updates_per_s=iterations_per_s)
    print(json.dumps(dataclasses.asdict(figures)), flush=True)
    return EXIT_FINISHED


if __name__ == "__main__":
    # Defined only here: a program that imports this module may have its own.
    _SECONDS = flags.DEFINE_float("seconds", 5.0, "To measure over.")
    process.run(lambda: main(_SECONDS.value))
