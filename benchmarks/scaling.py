"""More actors: how many more environment steps, and who waited for whom.

`python -m benchmarks.scaling` runs 1, 2, 4, … actors, on CartPole and on environments
that wait 10 ms in each step without using the processor. CartPole is bounded by the
machine's cores; environments that wait are not, until policies fill the cores.

`--synthetic` measures what the calls of 10, 100 and 1,000 light synthetic actors cost
the server, and predicts what bounds up to 10,000 (docs/scaling.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from absl import flags

from benchmarks import report, synthetic
from benchmarks.our_run import OurRun
from benchmarks.stock_processes import Children
from experiment import process
from experiment.errors import EXIT_FINISHED

ENVIRONMENTS = {
    "CartPole": (),
    "waiting 10 ms": (
        "import benchmarks.waiting_environment",
        "Experiment.environment = @WaitingEnvironment",
        "WaitingEnvironment.step_s = 0.01",
        "Collect.envs_per_actor = 8",
        "Collect.initial_collect_steps = 200",
        "Replay.min_size_to_sample = 200",
        # Learning is not what is measured; it shall not take the actors' cores.
        "Replay.samples_per_insert = 8",
    ),
}


def measure(seconds: float, num_actors: int, bindings: Sequence[str]) -> dict[str, Any]:
    """Runs so many actors until it is measured how fast they are.

    Args:
      seconds: To measure over, once all act and the learner trains.
      num_actors: Actor processes.
      bindings: What the environment is, in gin.

    Returns:
      Environment steps per second, and who waited for the replay table.

    Raises:
      RuntimeError: The run failed.
      TimeoutError: It did not come up in time.
    """
    with Children() as children:
        run = OurRun(children, num_actors, bindings)
        run.wait_until_warm()
        figures = run.measure(seconds)
        waiting = run.waiting()
    return {
        "actors": num_actors,
        "env steps/s": round(figures.env_steps_per_s),
        "waited for the table": waiting,
    }


def main(seconds: float, actors: Sequence[int], json_path: str | None) -> int:
    """Measures, and prints the table."""
    told = report.Report("scaling", {"seconds": seconds, "actors": list(actors)})
    for name, bindings in ENVIRONMENTS.items():
        alone = 0.0
        for count in actors:
            row = measure(seconds, count, bindings)
            per_actor = float(row["env steps/s"]) / count
            alone = alone or per_actor
            efficiency = per_actor / alone
            told.rows.append({"environment": name, **row, "efficiency": efficiency})
    told.show()
    told.write(json_path)
    return EXIT_FINISHED


# How many actors: real ones, or synthetic ones.
_REAL_ACTORS = ("1", "2", "4", "8", "16")
_SYNTHETIC_ACTORS = ("10", "100", "1000")


def _main() -> int:
    """Measures real actors, or synthetic ones."""
    is_synthetic = _SYNTHETIC.value
    usual = _SYNTHETIC_ACTORS if is_synthetic else _REAL_ACTORS
    actors = [int(number) for number in _ACTORS.value or usual]
    if is_synthetic:
        return synthetic.main(actors, _SECONDS.value, _JSON.value)
    return main(_SECONDS.value, actors, _JSON.value)


if __name__ == "__main__":
    _SECONDS = flags.DEFINE_float("seconds", 8.0, "To measure each number over.")
    _ACTORS = flags.DEFINE_list("actors", None, "How many, as 1,2,4.")
    _SYNTHETIC = flags.DEFINE_boolean("synthetic", False, "Light ones, and bounds.")
    _JSON = report.define_json("scaling")
    process.run(_main)
