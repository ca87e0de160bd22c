"""Judges policies of one run: evaluates them, keeps the record, draws the pictures."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Callable

import numpy as np
from tf_agents.agents import tf_agent
from tf_agents.policies import random_tf_policy, tf_policy

from eval_job import evaluator, plot, video
from eval_job.recorder import Recorder
from eval_job.returns_file import Row
from eval_job.returns_log import ReturnsLog
from experiment import environments, recovery, run_dir
from experiment.batched_policy import BatchedPolicy
from experiment.greedy import greedy_policy
from experiment.manifest import Manifest
from experiment.settings import Evaluation


class Judge:
    """Evaluates the random policy and the agent's greedy one."""

    def __init__(
        self,
        environment_factory: environments.EnvironmentFactory,
        agent: tf_agent.TFAgent,
        settings: Evaluation,
        manifest: Manifest,
        root_dir: Path,
        env_steps: Callable[[], int],
        seed: np.random.SeedSequence,
        *,
        recorder: Recorder,
        report: Callable[..., None],
    ) -> None:
        """Makes the environments.

        Args:
          environment_factory: Makes one environment.
          agent: Its variables are frozen while it is judged.
          settings: How many episodes, and the target.
          manifest: Of the run.
          root_dir: Folder of the run.
          env_steps: Says how many environment steps the run has taken.
          seed: Each evaluation gets its own child of it.
          recorder: Of videos of chosen evaluations.
          report: Takes figures for the telemetry.
        """
        self._factory = environment_factory
        self._environment = environments.batched(
            environment_factory, settings.episodes, seed
        )
        self._greedy = BatchedPolicy(greedy_policy(agent))
        self._random = BatchedPolicy(
            random_tf_policy.RandomTFPolicy(agent.time_step_spec, agent.action_spec)
        )
        self._settings = settings
        self._manifest = manifest
        self._root_dir = root_dir
        self._env_steps = env_steps
        self._seed = seed
        self._log = ReturnsLog(root_dir)
        self._recorder = recorder
        self._report = report
        self._agent = agent
        self._videos_passed = 0  # Intervals that have had their video.
        for unfinished in (root_dir / run_dir.VIDEOS_DIR).glob(".*.mp4"):
            unfinished.unlink()

    def judge_random_policy(self) -> None:
        """Evaluates the random policy, once in the life of a run."""
        if self._log.baseline is None:
            self._log.add_baseline(self._evaluate(self._random, 0))

    def judge(self, train_step: int) -> Row:
        """Evaluates the agent's weights as they are now.

        Args:
          train_step: Of these weights.

        Returns:
          The row that was added to the record.
        """
        row = self._evaluate(self._greedy, train_step)
        self._log.add(row)
        self._report(**row.figures())
        logging.info(
            "train step %d: average return %.1f (%.0f to %.0f)",
            train_step,
            row.average_return,
            row.min_return,
            row.max_return,
        )
        self._record_if_chosen(row.train_step)
        return row

    def _record_if_chosen(self, train_step: int) -> None:
        """Lets a video of these weights be recorded, now and then."""
        interval = self._settings.video_interval_train_steps
        if interval is None or train_step // interval == self._videos_passed:
            return
        path = self._root_dir / run_dir.VIDEOS_DIR / f"train_step_{train_step}.mp4"
        weights = [each.numpy() for each in self._agent.policy.variables()]

        def show() -> None:
            self._log.add_video(path, train_step)

        # If the one before is not done, a later evaluation gets its turn.
        if self._recorder.start(path, weights, show):
            self._videos_passed = train_step // interval

    def reaches_target(self, row: Row) -> bool:
        """Whether these weights reach the target return, for sure.

        One good evaluation among hundreds is luck sooner or later: so weights that
        reach the target are judged again, on fresh episodes, and must reach it twice.
        Untrained weights never count, however lucky they are.
        """
        target = self._settings.target_return
        if target is None or row.train_step == 0 or row.average_return < target:
            return False
        return self.judge(row.train_step).average_return >= target

    def draw_returns(self) -> None:
        """Draws `returns.png`, if there is anything to draw."""
        if rows := self._log.rows:
            plot.plot_returns(
                self._root_dir / run_dir.RETURNS_PLOT,
                rows,
                self._log.baseline,
                self._settings.target_return,
                f"{self._manifest.gin_file}, seed {self._manifest.seed}, "
                f"{self._manifest.num_actors} actors",
            )

    def close(self) -> None:
        """Gives up a video that is being recorded."""
        self._recorder.close()

    def record_videos(self) -> None:
        """Records the agent as it is now, and the random policy."""
        for name, policy in (("trained", self._greedy), ("random", self._random)):
            path = self._root_dir / run_dir.VIDEOS_DIR / f"{name}.mp4"
            seed = self._seed.spawn(1)[0]
            try:
                environment = environments.batched(self._factory, 1, seed)
                with contextlib.ExitStack() as stack:
                    stack.callback(recovery.close_quietly, environment)
                    video.record(path, environment, policy)
                self._log.add_video(path)
            # Whatever a renderer or ffmpeg raises: a run does not fail for a picture.
            except Exception:
                logging.exception("no video %s", path.name)

    def _evaluate(self, policy: tf_policy.TFPolicy, train_step: int) -> Row:
        env_steps = self._env_steps()
        seed = self._seed.spawn(1)[0]
        with self._recorder.standing_still():
            returns = evaluator.evaluate(self._environment, policy, seed)
        return Row.of(returns, train_step, env_steps, self._manifest.wall_time_s())
