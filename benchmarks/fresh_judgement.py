"""Judges the result of a run on episodes that had no part in when it ended.

A run ends when two evaluations in a row reach the target, so its last return was
chosen. `python -m benchmarks.fresh_judgement --root_dir=RUN --output=FILE` plays the
saved greedy policy anew, and writes the returns as a list in JSON.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import flags
from tf_agents.policies import py_tf_eager_policy
from tf_agents.train import learner as tf_learner
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from eval_job.evaluator import evaluate
from experiment import definition, environments, process, run_dir
from experiment import flags as shared_flags
from experiment.errors import EXIT_FINISHED

# Keeps these episodes apart from those of the run, whose seeds follow from its own.
_APART = 1_000_003


class SavedPolicy(py_tf_eager_policy.SavedModelPyTFEagerPolicy):
    """An exported policy that acts for batches; TF-Agents leaves theirs as tensors."""

    def _action(
        self,
        time_step: ts.TimeStep,
        policy_state: types.NestedTensor,
        seed: types.Seed | None = None,
    ) -> policy_step.PolicyStep:
        step = super()._action(time_step, policy_state, seed)
        return step._replace(action=tf.nest.map_structure(np.asarray, step.action))


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
    experiment = definition.load_run(manifest)
    seeds = np.random.SeedSequence([seed, _APART])
    batch = environments.batched(experiment.environment, episodes, seeds)
    folder = root_dir / tf_learner.POLICY_SAVED_MODEL_DIR
    policy = SavedPolicy(
        str(folder / tf_learner.GREEDY_POLICY_SAVED_MODEL_DIR),
        load_specs_from_pbtxt=True,
        batch_time_steps=False,  # They are batched already.
    )
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
