"""Acting and learning together: ours against TF-Agents' stock wirings of the same DQN.

`python -m benchmarks.throughput` measures all sides in turn, several times, and prints
the medians: machines are noisy, and only what was measured together can be compared.
"""

from __future__ import annotations

import functools
import importlib.util
import statistics
from typing import Any, Callable

from absl import flags

from benchmarks import report, stock_distributed, stock_loop
from benchmarks.our_run import OurRun
from benchmarks.stock_distributed import Figures
from benchmarks.stock_processes import Children
from experiment import process
from experiment.errors import EXIT_FINISHED

_STOCK = "TF-Agents' distributed example"
_ENVPOOL = (
    "Experiment.environment = @envpool_environment",
    "envpool_environment.name = 'CartPole-v1'",
)


def measure_ours(seconds: float, num_actors: int, *bindings: str) -> Figures:
    """Runs ours until it is measured how fast it is.

    Args:
      seconds: To measure over, once it trains.
      num_actors: Actor processes.
      *bindings: gin bindings that win over `cartpole.gin`.

    Returns:
      Environment steps and updates per second.

    Raises:
      RuntimeError: The run failed.
      TimeoutError: It did not come up in time.
    """
    with Children() as children:
        run = OurRun(children, num_actors, bindings)
        run.wait_until_warm()
        return run.measure(seconds)


def sides(seconds: float, num_actors: int) -> dict[str, Callable[[], Figures]]:
    """What is compared: a name, and how to measure it."""
    ours = functools.partial(measure_ours, seconds, num_actors)
    found: dict[str, Callable[[], Figures]] = {
        "TF-Agents' DQN tutorial, one process": functools.partial(
            stock_loop.measure, seconds
        ),
        _STOCK: functools.partial(stock_distributed.measure, seconds, num_actors),
        "Antiphon, gym": ours,
    }
    if importlib.util.find_spec("envpool"):
        found["Antiphon, EnvPool"] = functools.partial(ours, *_ENVPOOL)
    return found


def main(seconds: float, num_actors: int, rounds: int, json_path: str | None) -> int:
    """Measures, and prints the table."""
    arguments = {"seconds": seconds, "num_actors": num_actors, "rounds": rounds}
    told = report.Report("throughput", arguments)
    measured: dict[str, list[Figures]] = {}
    for _ in range(rounds):
        for name, measure in sides(seconds, num_actors).items():
            measured.setdefault(name, []).append(measure())
    for name, figures in measured.items():
        told.rows.append(_row(name, figures, measured[_STOCK]))
    told.show()
    told.write(json_path)
    return EXIT_FINISHED


def _row(name: str, figures: list[Figures], stock: list[Figures]) -> dict[str, Any]:
    row: dict[str, Any] = {"wiring": name}
    for title, field in (
        ("env steps/s", "env_steps_per_s"),
        ("updates/s", "updates_per_s"),
    ):
        own, theirs = (
            statistics.median(getattr(each, field) for each in measured)
            for measured in (figures, stock)
        )
        row[title] = round(own)
        row[f"{title}, ratio"] = own / theirs
    return row


if __name__ == "__main__":
    _SECONDS = flags.DEFINE_float("seconds", 10.0, "To measure each side over.")
    _NUM_ACTORS = flags.DEFINE_integer("num_actors", 2, "Actor processes.")
    _ROUNDS = flags.DEFINE_integer("rounds", 3, "How often each side is measured.")
    _JSON = report.define_json("throughput")
    process.run(
        lambda: main(_SECONDS.value, _NUM_ACTORS.value, _ROUNDS.value, _JSON.value)
    )
