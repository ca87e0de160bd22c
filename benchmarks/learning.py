"""What a preset learns: by several seeds, in the real system of several processes.

`python -m benchmarks.learning --preset=dqn_cartpole.gin --seeds=5` runs the preset to
its end once for each seed, judges each result on fresh episodes, and adds a row and a
curve to `docs/results.md`.
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
from experiment import process, run_dir
from experiment.errors import EXIT_FINISHED
from launch.children import Child

_EPISODES = 10


def learn(
    preset: str, seed: int, options: Sequence[str], timeout_s: float
) -> tuple[dict[str, Any], list[returns_file.Row]]:
    """Runs a preset once.

    Args:
      preset: Its name.
      seed: Of the run.
      options: Further flags of the launcher.
      timeout_s: Seconds that it may take.

    Returns:
      What came of it, and its evaluations.

    Raises:
      RuntimeError: The run failed.
      TimeoutError: It took longer.
    """
    with Children() as children:
        root_dir = children.folder / "run"
        own = [f"--gin_file={preset}", f"--seed={seed}", f"--root_dir={root_dir}"]
        run = children.start("launch", "launch", *own, *options)
        children.wait("the run", lambda: _has_ended(run), timeout_s)
        result = json.loads((root_dir / run_dir.RESULT).read_text())
        output = children.folder / "returns.json"
        judge = children.start(
            "judge",
            "benchmarks.fresh_judgement",
            f"--root_dir={root_dir}",
            f"--output={output}",
            f"--episodes={_EPISODES}",
            f"--seed={seed}",
        )
        children.wait("the judgement", lambda: _has_ended(judge), timeout_s)
        returns = json.loads(output.read_text())
        evaluations = returns_file.read(root_dir / run_dir.RETURNS)
    row = {
        "seed": seed,
        "status": result["status"],
        "return": statistics.fmean(returns),
        "env steps": result["env_steps"],
        "updates": result["train_step"],
        "s": result["wall_time_s"],
    }
    return row, evaluations


def _has_ended(child: Child) -> bool | None:
    return True if child.exit_code == EXIT_FINISHED else None


def summary(
    preset: str, rows: Sequence[dict[str, Any]], command: str
) -> dict[str, Any]:
    """The row of the page."""
    returns = [row["return"] for row in rows]
    mean = {
        name: statistics.fmean(row[name] for row in rows)
        for name in ("env steps", "updates", "s")
    }
    return {
        "preset": preset,
        "seeds": len(rows),
        "return": f"{statistics.fmean(returns):,.1f}",
        "worst to best": f"{min(returns):,.1f} to {max(returns):,.1f}",
        **mean,
        "command": f"`{command}`",
    }


def main() -> int:
    """Runs all seeds, one after the other; adds to the page."""
    preset = shared_flags.required(_PRESET, "dqn_cartpole.gin")
    options = [f"--num_actors={_NUM_ACTORS.value}"]
    if _MAX_TRAIN_STEPS.value is not None:
        options.append(f"--max_train_steps={_MAX_TRAIN_STEPS.value}")
    told = report.Report(
        f"learning_{Path(preset).stem}", {"preset": preset, "options": options}
    )
    runs = []
    for seed in range(_SEEDS.value):
        row, evaluations = learn(preset, seed, options, _DEADLINE_S.value)
        told.rows.append(row)
        runs.append(evaluations)
        print(*row.values(), flush=True)
    given = [f"--preset={preset}", f"--seeds={_SEEDS.value}", *options]
    command = shlex.join(["python", "-m", "benchmarks.learning", *given])
    told.summary = summary(preset, told.rows, command)
    told.show()
    told.write(_JSON.value)
    page = Path(_PAGE.value)
    results_page.add(page, told.summary)
    picture = page.parent / "images" / "results" / f"{Path(preset).stem}.png"
    results_page.draw(picture, preset, runs)
    return EXIT_FINISHED


if __name__ == "__main__":
    _PRESET = flags.DEFINE_string("preset", None, "Its name, or a gin file.")
    _SEEDS = flags.DEFINE_integer("seeds", 5, "Runs, with seeds from 0.")
    _NUM_ACTORS = shared_flags.define_num_actors()
    _MAX_TRAIN_STEPS = shared_flags.define_max_train_steps()
    _DEADLINE_S = flags.DEFINE_float("deadline_s", 3_600.0, "Seconds for each run.")
    _PAGE = flags.DEFINE_string("page", "docs/results.md", "Where the row is added.")
    _JSON = report.define_json("learning")
    process.run(main)
