"""Judges the result of a run on episodes that had no part in when it ended.

A run ends when two evaluations in a row reach the target, so its last return was
chosen. `python -m benchmarks.fresh_judgement --root_dir=RUN --output=FILE` plays the
saved greedy policy anew, and writes the returns as a list in JSON.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from absl import flags
from tf_agents.policies import policy_loader
from tf_agents.train import learner as tf_learner

from eval_job.evaluator import evaluate
from experiment import definition, environments, process, run_dir
from experiment import flags as shared_flags
from experiment.errors import EXIT_FINISHED

# Keeps these episodes apart from those of the run, whose seeds follow from its own.
_APART = 1_000_003


def judge(root_dir: Path, episodes: int, seed: int) -> list[float]:
    """Plays the greedy policy of a run that has ended.

    Args:
      root_dir: Of the run.
      episodes: How many.
      seed: Decides on the initial states.

    Returns:
      The undiscounted return of each episode.
    """
    manifest = run_dir.read_manifest(root_dir)
    experiment = definition.load_text(manifest.gin_text)
    seeds = np.random.SeedSequence([seed, _APART])
    batch = environments.batched(experiment.environment, episodes, seeds)
    folder = root_dir / tf_learner.POLICY_SAVED_MODEL_DIR
    policy = policy_loader.load(str(folder / tf_learner.GREEDY_POLICY_SAVED_MODEL_DIR))
    return [float(each) for each in evaluate(batch, policy, seeds.spawn(1)[0])]


def main(root_dir: str, episodes: int, seed: int, output: str) -> int:
    """Judges, and writes."""
    Path(output).write_text(json.dumps(judge(Path(root_dir), episodes, seed)))
    return EXIT_FINISHED


if __name__ == "__main__":
    _ROOT_DIR = shared_flags.define_root_dir("required")
    _EPISODES = flags.DEFINE_integer("episodes", 10, "Episodes to play.")
    _SEED = shared_flags.define_seed()
    _OUTPUT = flags.DEFINE_string("output", None, "The JSON file to write; required.")
    process.run(
        lambda: main(
            shared_flags.required(_ROOT_DIR, "runs/my_run"),
            _EPISODES.value,
            _SEED.value or 0,
            shared_flags.required(_OUTPUT, "returns.json"),
        )
    )
