"""Exports the agent's policies as SavedModels, under TF-Agents' own names."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import Callable

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.policies import policy_saver
from tf_agents.train import learner as tf_learner

from experiment.greedy import greedy_policy


class PolicyExporter:
    """Writes the greedy, the collect and the raw policy.

    `PolicySavedModelTrigger` writes SavedModels once, with untrained weights, and
    keeps those of an earlier run; these here always hold the weights of the export.
    """

    def __init__(
        self,
        agent: tf_agent.TFAgent,
        train_step: tf.Variable,
        root_dir: Path,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepares the export.

        Args:
          agent: Whose policies are exported.
          train_step: Stored with the policies.
          root_dir: Folder of the run.
          refresh: Gives the agent the weights to be exported, if it is not the one in
            training.
        """
        greedy = greedy_policy(agent)
        self._policies = {
            tf_learner.GREEDY_POLICY_SAVED_MODEL_DIR: greedy,
            tf_learner.COLLECT_POLICY_SAVED_MODEL_DIR: agent.collect_policy,
            tf_learner.RAW_POLICY_SAVED_MODEL_DIR: greedy.wrapped_policy,
        }
        self._folder = root_dir / tf_learner.POLICY_SAVED_MODEL_DIR
        self._train_step = train_step
        self._refresh = refresh

    @functools.cached_property
    def _savers(self) -> dict[str, policy_saver.PolicySaver]:
        """Made at the first export: it takes seconds, and no start waits for it."""
        return {
            name: policy_saver.PolicySaver(policy, train_step=self._train_step)
            for name, policy in self._policies.items()
        }

    def export(self) -> None:
        """Writes all policies; each replaces the former one when it is complete."""
        self._refresh()
        for name, saver in self._savers.items():
            fresh = self._folder / f".{name}"
            old = self._folder / f".{name}.old"
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
            saver.save(str(fresh))
            if (self._folder / name).exists():
                (self._folder / name).rename(old)
            fresh.rename(self._folder / name)
            shutil.rmtree(old, ignore_errors=True)
