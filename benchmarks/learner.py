"""The learner alone on replay data, against the agent's loop on one fixed batch.

`python -m benchmarks.learner` fills a replay table by an actor, ends the actor, and
then measures in turn, in one process: the learner as it is, fed by the table; the
agent's `train` on a fixed batch in a loop inside a graph, as one would write it by
hand; and the learner's compiled loop on fixed batches.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from benchmarks import report, stock_processes
from benchmarks.stock_processes import START_TIMEOUT_S, Children
from experiment import process
from experiment.errors import EXIT_FINISHED
from reverb_server import port as port_lib

_GIN_FILE = Path(__file__).with_name("cartpole.gin")


def measure(seconds: float, rounds: int) -> dict[str, float]:
    """Measures the three loops.

    Args:
      seconds: To measure each loop over, each time.
      rounds: How often; the figures are medians.

    Returns:
      Gradient steps per second by name of the loop, see `learner_loops`.

    Raises:
      RuntimeError: A process failed.
      TimeoutError: A process did not come up in time.
    """
    holder, port = port_lib.reserve(None)
    with holder, Children() as children:
        children.start(
            "reverb_server",
            "reverb_server",
            f"--root_dir={children.folder / 'run'}",
            f"--gin_file={_GIN_FILE}",
            f"--port={port}",
            "--is_supervised",
            "--num_actors=1",
        )
        address = f"--server_address=localhost:{port}"
        loops = children.start(
            "learner",
            "benchmarks.learner_loops",
            address,
            f"--seconds={seconds}",
            f"--rounds={rounds}",
        )
        actor = children.start("actor", "actor", address)
        children.wait(
            "a table that is full enough",
            lambda: stock_processes.last_report(loops),
            2 * START_TIMEOUT_S,
        )
        children.end(actor)

        def figures() -> dict[str, float] | None:
            found = stock_processes.last_report(loops)
            return found if found and "replay" in found else None

        return children.wait(
            "the figures", figures, START_TIMEOUT_S + 3 * rounds * seconds
        )


def main(seconds: float, rounds: int, json_path: str | None) -> int:
    """Measures, and prints the table."""
    told = report.Report("learner", {"seconds": seconds, "rounds": rounds})
    figures = measure(seconds, rounds)
    fixed = figures["fixed batch"]
    names = {
        "fixed batch": "agent.train in a loop, one fixed batch",
        "replay": "Antiphon's learner, batches from the replay table",
        "fixed stack": "Antiphon's learner, fixed batches",
    }
    for name, text in names.items():
        row = {"loop": text, "updates/s": round(figures[name])}
        told.rows.append({**row, "ratio": figures[name] / fixed})
    told.show()
    told.write(json_path)
    return EXIT_FINISHED


if __name__ == "__main__":
    _SECONDS = flags.DEFINE_float("seconds", 4.0, "To measure each loop over.")
    _ROUNDS = flags.DEFINE_integer("rounds", 3, "How often each loop is measured.")
    _JSON = report.define_json("learner")
    process.run(lambda: main(_SECONDS.value, _ROUNDS.value, _JSON.value))
