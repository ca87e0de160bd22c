"""Does learning suffer if several transitions travel in one item? Curves of both.

`python -m benchmarks.transitions_per_item` trains the default preset with 1 and with 8
transitions in an item, several seeds each, in turn, and draws the average returns over
train steps.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from absl import flags

from benchmarks import report
from benchmarks.stock_processes import Children
from eval_job import returns_file
from experiment import process, run_dir
from experiment.errors import EXIT_FINISHED

matplotlib.use("Agg")  # No display is needed.

from matplotlib import pyplot as plt

LAYOUTS = (1, 8)

# Seconds that one run may take.
_TIMEOUT_S = 300.0

_EVALUATION_INTERVAL = 500


def curve(per_item: int, seed: int, train_steps: int) -> np.ndarray:
    """Trains once.

    Args:
      per_item: Transitions in an item.
      seed: Of the run.
      train_steps: Gradient steps.

    Returns:
      The average returns at multiples of `_EVALUATION_INTERVAL` train steps.

    Raises:
      RuntimeError: The run failed.
      TimeoutError: It was too slow.
    """
    with Children() as children:
        root_dir = children.folder / "run"
        run = children.start(
            "launch",
            "launch",
            f"--root_dir={root_dir}",
            f"--seed={seed}",
            f"--max_train_steps={train_steps}",
            f"--gin_bindings=Replay.transitions_per_item = {per_item}",
            "--gin_bindings=Evaluation.target_return = None",
            f"--gin_bindings=Evaluation.interval_train_steps = {_EVALUATION_INTERVAL}",
        )
        children.wait("the run", functools.partial(_code, run), _TIMEOUT_S)
        rows = returns_file.read(root_dir / run_dir.RETURNS)
    grid = np.arange(0, train_steps + 1, _EVALUATION_INTERVAL)
    return np.interp(
        grid, [row.train_step for row in rows], [row.average_return for row in rows]
    )


def _code(run: Any) -> bool | None:
    return True if run.exit_code == 0 else None


def draw(path: Path, curves: dict[int, np.ndarray], seeds: int) -> None:
    """Draws mean and range over the seeds.

    Args:
      path: PNG file to write.
      curves: By transitions in an item: average returns [seeds, evaluations].
      seeds: How many.
    """
    figure, axes = plt.subplots(figsize=(8, 4.5), dpi=120, layout="constrained")
    for (per_item, returns), color in zip(curves.items(), ("tab:orange", "tab:blue")):
        steps = np.arange(returns.shape[1]) * _EVALUATION_INTERVAL
        axes.fill_between(
            steps, returns.min(0), returns.max(0), alpha=0.12, color=color, linewidth=0
        )
        label = f"{per_item} per item, mean of {seeds} seeds"
        axes.plot(steps, returns.mean(0), color=color, label=label)
    axes.set(xlabel="train steps", ylabel="return", title="Transitions per item")
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


def main(
    seeds: Sequence[int], train_steps: int, png: str, json_path: str | None
) -> int:
    """Measures, prints the table, draws the picture."""
    arguments = {"seeds": list(seeds), "train_steps": train_steps}
    told = report.Report("transitions_per_item", arguments)
    found: dict[int, list[np.ndarray]] = {per_item: [] for per_item in LAYOUTS}
    for seed in seeds:
        for per_item, curves in found.items():
            curves.append(curve(per_item, seed, train_steps))
    stacked = {per_item: np.stack(curves) for per_item, curves in found.items()}
    for per_item, returns in stacked.items():
        told.rows.append(
            {
                "per item": per_item,
                "return, mean of all": float(returns.mean()),
                "of the second half": float(returns[:, returns.shape[1] // 2 :].mean()),
                "seeds": [round(float(mean), 1) for mean in returns.mean(1)],
            }
        )
    told.show()
    told.write(json_path)
    draw(Path(png), stacked, len(seeds))
    return EXIT_FINISHED


if __name__ == "__main__":
    _SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2", "3", "4"], "Of the runs.")
    _TRAIN_STEPS = flags.DEFINE_integer("train_steps", 10_000, "Of each run.")
    _PNG = flags.DEFINE_string(
        "png", "benchmarks/results/transitions_per_item.png", "Where to draw."
    )
    _JSON = report.define_json("transitions_per_item")
    process.run(
        lambda: main(
            [int(seed) for seed in _SEEDS.value],
            _TRAIN_STEPS.value,
            _PNG.value,
            _JSON.value,
        )
    )
