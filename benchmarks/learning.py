"""What a preset learns: by several seeds, in the real system of several processes.

`python -m benchmarks.learning --preset=dqn_cartpole.gin --seeds=5` runs the preset to
its end once for each seed, judges each result on fresh episodes, and keeps a row and a
curve of them in `docs/results.md`, from the first seed on.
"""

from __future__ import annotations

import json
import shlex
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from benchmarks import report, results_page
from benchmarks.stock_processes import Children
from eval_job import returns_file
from experiment import flags as shared_flags
from experiment import process, run_dir, run_status
from experiment.errors import EXIT_FINISHED
from launch.children import Child

_EPISODES = 10

# Seconds that so many episodes may take, with the import of TensorFlow.
_JUDGEMENT_S = 1_200.0

_MINUTES = 60.0

# Letters of a commit that are enough to find it.
_COMMIT = 7


def learn(
    options: Sequence[str], seed: int, minutes: float
) -> tuple[dict[str, Any], list[returns_file.Row]]:
    """Runs a preset once, to its end or until the time is over.

    Args:
      options: Flags of the launcher.
      seed: Of the run.
      minutes: After which it is ended, as by Ctrl-C.

    Returns:
      What came of it, and its evaluations.

    Raises:
      RuntimeError: The run failed.
      TimeoutError: The judgement took too long.
    """
    with Children() as children:
        root_dir = children.folder / "run"
        own = [f"--seed={seed}", f"--root_dir={root_dir}"]
        run = children.start("launch", "launch", *options, *own)
        try:
            children.wait("the run", lambda: _has_ended(run), 60 * minutes)
        except TimeoutError:
            children.end(run)
        result = json.loads((root_dir / run_dir.RESULT).read_text())
        evaluations = returns_file.read(root_dir / run_dir.RETURNS)
        if result["status"] == run_status.INTERRUPTED:  # It has exported nothing.
            average_return = evaluations[-1].average_return
        else:
            average_return = _judge(children, root_dir, seed)
    row = {
        "seed": seed,
        "status": result["status"],
        "return": average_return,
        "env steps": result["env_steps"],
        "updates": result["train_step"],
        "s": result["wall_time_s"],
    }
    return row, evaluations


def _judge(children: Children, root_dir: Path, seed: int) -> float:
    """The average return of the policy of a run, on fresh episodes."""
    output = children.folder / "returns.json"
    judge = children.start(
        "judge",
        "benchmarks.fresh_judgement",
        f"--root_dir={root_dir}",
        f"--output={output}",
        f"--episodes={_EPISODES}",
        f"--seed={seed}",
    )
    children.wait("the judgement", lambda: _has_ended(judge), _JUDGEMENT_S)
    return statistics.fmean(json.loads(output.read_text()))


def _has_ended(child: Child) -> bool | None:
    return True if child.exit_code == EXIT_FINISHED else None


def summary(name: str, told: report.Report, seeds: int, command: str) -> dict[str, Any]:
    """The row of the page, while some of the seeds may be missing."""
    rows = told.rows
    returns = [row["return"] for row in rows]
    reached = sum(row["status"] == run_status.TARGET_REACHED for row in rows)
    mean = {
        column: statistics.fmean(row[column] for row in rows)
        for column in ("env steps", "updates", "s")
    }
    return {
        "name": name,
        "seeds": seeds if len(rows) == seeds else f"{len(rows)} of {seeds}",
        "return": f"{statistics.fmean(returns):,.1f}",
        "worst to best": f"{min(returns):,.1f} to {max(returns):,.1f}",
        "reached the target": f"{reached} of {len(rows)}",
        **mean,
        "curve": f"[curve]({results_page.picture_of(name)})",
        "commit": told.machine["commit"][:_COMMIT],
        "command": f"`{command}`",
    }


def main() -> int:
    """Runs all seeds, one after the other; each adds to the page."""
    preset = shared_flags.required(_PRESET, "dqn_cartpole.gin")
    name = _NAME.value or Path(preset).stem
    options = [f"--gin_file={preset}", *_launcher_options()]
    told = report.Report(f"learning_{name}", {"options": options})
    runs: list[list[returns_file.Row]] = []
    for seed in range(1, _SEEDS.value + 1):
        row, evaluations = learn(options, seed, _LIMIT.value)
        print(*row.values(), flush=True)
        told.rows.append(row)
        runs.append(evaluations)
        command = _own_command(preset, options)
        told.summary = summary(name, told, _SEEDS.value, command)
        _show_on_page(name, told.summary, runs)
        told.write(_JSON.value)
    told.show()
    return EXIT_FINISHED


def _own_command(preset: str, options: Sequence[str]) -> str:
    own = [f"--preset={preset}", f"--seeds={_SEEDS.value}", *options[1:]]
    own += [f"--name={_NAME.value}"] if _NAME.value else []
    own += [f"--minutes={_LIMIT.value:g}"] if _LIMIT.value != _MINUTES else []
    return shlex.join(["python", "-m", "benchmarks.learning", *own])


def _show_on_page(
    name: str, row: dict[str, Any], runs: Sequence[Sequence[returns_file.Row]]
) -> None:
    page = Path(_PAGE.value)
    results_page.draw(page.parent / results_page.picture_of(name), name, runs)
    results_page.add(page, row)


def _launcher_options() -> list[str]:
    """The flags of the launcher that were given here."""
    options = [f"--num_actors={_NUM_ACTORS.value}"]
    options += [f"--gin_bindings={binding}" for binding in _GIN_BINDINGS.value]
    if _MAX_TRAIN_STEPS.value is not None:
        options.append(f"--max_train_steps={_MAX_TRAIN_STEPS.value}")
    return options


if __name__ == "__main__":
    _PRESET = flags.DEFINE_string("preset", None, "Its name, or a gin file.")
    _NAME = flags.DEFINE_string("name", None, "On the page; default: the preset's.")
    _SEEDS = flags.DEFINE_integer("seeds", 5, "Runs, with seeds from 1.")
    _NUM_ACTORS = shared_flags.define_num_actors()
    _GIN_BINDINGS = shared_flags.define_gin_bindings()
    _MAX_TRAIN_STEPS = shared_flags.define_max_train_steps()
    _LIMIT = flags.DEFINE_float(
        "minutes", _MINUTES, "After which a run is ended; its last evaluation counts."
    )
    _PAGE = flags.DEFINE_string("page", "docs/results.md", "Where the row is added.")
    _JSON = report.define_json("learning")
    process.run(main)
