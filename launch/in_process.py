"""All roles in one process, taking turns: so many environment steps, so many updates.

For debugging, profiling and tests. It is the code of the roles, with a real Reverb
server, but one agent that all share: no weights travel, and the policy lag is 0.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any, Callable

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.environments import py_environment

from actor.collector import Collector
from eval_job import builder as eval_builder
from eval_job.judge import Judge
from experiment import (
    devices,
    environments,
    run_start,
    run_status,
    seeding,
)
from experiment.definition import Experiment
from experiment.interval import Interval
from experiment.process import StopSignal
from launch import screen
from launch.options import Options
from launch.progress import Progress
from launch.result import Outcome
from launch.shared_process import SharedProcess
from launch.state import Life, ProcessState, of_roles, run_state
from launch.view import View
from learner import builder as learner_builder
from learner import checkpoints, learning_agent
from reverb_server import figures, rate_limiter, replay_layout, tables
from reverb_server import port as port_lib
from reverb_server.replay_writer import ReplayWriter
from reverb_server.server import RunServer

_REPORT_S = 2.0

# Seconds to wait for a batch that must come, since the transitions are there.
_BATCH_TIMEOUT_S = 30.0


class InProcessRun:
    """One actor, the learner, the eval job and the server, driven step by step."""

    def __init__(self, options: Options, is_running: Callable[[], bool]) -> None:
        """Builds everything; see the roles' own builders for errors.

        Args:
          options: What the run is started with.
          is_running: Ends a wait for the rate limiter.
        """
        self._experiment, self.server = self._serve(options)
        run = self.server.manifest
        seed = seeding.seed_role(run.seed, "in_process")
        environment = environments.batched(
            self._experiment.environment,
            self._experiment.collect.envs_per_actor,
            seed.spawn(1)[0],
        )
        checkpoints.prepare(options.root_dir, run)
        self._learning = learning_agent.make(
            self._experiment, environment, tf.distribute.get_strategy()
        )
        agent, _ = self._learning.exact
        self.trainer = learner_builder.build_trainer(
            self._experiment,
            self._learning,
            self.server.address,
            options.root_dir,
            self.server.store_replay,
        )
        self._learning.refresh()  # It may be restored by now.
        self.collector = self._collector(environment, agent, is_running)
        env_steps_before = self.server.env_steps()
        evaluation = self._experiment.evaluation
        self._judged: dict[str, Any] = {"target_return": evaluation.target_return}
        self.judge = Judge(
            self._experiment.environment,
            agent,
            evaluation,
            run,
            options.root_dir,
            env_steps=lambda: env_steps_before + self.collector.env_steps,
            seed=seed.spawn(1)[0],
            recorder=eval_builder.recorder(self._experiment, seed.spawn(1)[0]),
            report=self._judged.update,
        )
        self.checkpoint_interval_s = self._experiment.train.checkpoint_interval_s
        self.evaluation_interval = evaluation.interval_train_steps
        self._figures = SharedProcess(self.server.client, self.trainer.train_step)
        self._updates_due = 0.0
        self._new_transitions = 0  # Of the present policy, if only they will do.
        self._restored = self.server.replay_size()

    def _serve(self, options: Options) -> tuple[Experiment, RunServer]:
        """What is learned, and a server of it."""
        experiment, run = run_start.start_run(
            options.root_dir,
            gin_file=options.gin_file,
            gin_bindings=options.gin_bindings,
            seed=options.seed,
            num_actors=options.num_actors,
            resume=options.resume,
            in_process=True,
        )
        # Updates are taken one at a time, so no more is sampled ahead.
        train = dataclasses.replace(experiment.train, steps_per_call=1)
        experiment = dataclasses.replace(experiment, train=train)
        self._holder, port = port_lib.reserve(options.port)
        return experiment, RunServer(
            experiment,
            run,
            port,
            restore=not options.discard_replay,
            metrics_address=options.metrics_address,
        )

    def _collector(
        self,
        environment: py_environment.PyEnvironment,
        agent: tf_agent.TFAgent,
        is_running: Callable[[], bool],
    ) -> Collector:
        collect, replay = self._experiment.collect, self._experiment.replay
        fresh = self.trainer.train_step == 0
        return Collector(
            environment,
            agent,
            policy=self._experiment.collect_policy(agent, 0, 1),
            writer=ReplayWriter(
                self.server.client,
                replay_layout.replay_layout(agent, replay),
                collect.envs_per_actor,
                is_running,
                self.trainer.weights.get(tables.LARGEST_PRIORITY_KEY),
            ),
            weights=self.trainer,
            random_steps=collect.initial_collect_steps if fresh else 0,
        )

    @property
    def is_done(self) -> bool:
        """Whether all gradient steps are done."""
        return self.trainer.train_step >= self._experiment.train.max_train_steps

    def take_turn(self) -> None:
        """Steps each environment once, then does the updates that are due.

        Without a wanted ratio of samples per insert, one update is due each turn; with
        an on-policy agent, one for each batch of new windows.
        """
        replay, before = self._experiment.replay, self.collector.transitions
        self.collector.run(max_steps=1)
        taken = self.collector.transitions - before
        if self.trainer.is_on_policy:
            self._update_on_policy(taken)
            return
        if before + self._restored < self._first_transitions:
            return
        ratio = replay.samples_per_insert
        self._updates_due += (
            taken * ratio / (replay.batch_size * replay.sequence_stride) if ratio else 1
        )
        while self._updates_due >= 1 and not self.is_done:
            self._updates_due -= 1
            self._update()

    def _update_on_policy(self, taken: int) -> None:
        """Trains on a batch as soon as the present policy has collected one.

        Args:
          taken: Transitions collected in this turn.
        """
        replay = self._experiment.replay
        self._new_transitions += taken
        if self._new_transitions >= replay.batch_size * replay.env_steps_per_item:
            self._new_transitions = 0
            self._update()

    @property
    def _first_transitions(self) -> int:
        """Transitions in the table before the first update."""
        replay, collect = self._experiment.replay, self._experiment.collect
        items = rate_limiter.min_items_to_sample(replay, collect)
        return items * replay.env_steps_per_item

    def _update(self) -> None:
        """Takes one gradient step, or all of an on-policy agent's batch.

        Raises:
          TimeoutError: No batch came, although there are enough transitions.
        """
        deadline = time.monotonic() + _BATCH_TIMEOUT_S
        while not self.trainer.run(steps=1):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"no batch came from the replay table in {_BATCH_TIMEOUT_S:.0f} s"
                )
        self._learning.refresh()

    def evaluate(self) -> bool:
        """Judges the weights as they are; returns whether they reach the target."""
        row = self.judge.judge(self.trainer.train_step)
        return self.judge.reaches_target(row)

    def report(self) -> None:
        """Sends the figures of all roles to the server, and lets it keep them."""
        learner = {
            **self.trainer.figures(),
            "max_train_steps": self._experiment.train.max_train_steps,
        }
        self._figures.send(self.collector.figures(), learner, self._judged)
        self.server.keep_rows(is_due=True)

    def close(self) -> None:
        """Ends the sampling and stops the server."""
        self.trainer.close()
        self.server.stop()
        self._holder.close()


def run(options: Options, stop: StopSignal, view: View) -> Outcome:
    """Runs until the target is reached or all gradient steps are done.

    Args:
      options: What the run is started with.
      stop: Ends it early.
      view: Where the user looks.

    Returns:
      How it ended.
    """
    devices.use_one_cpu_thread()
    progress = Progress(options.root_dir)
    shown = Interval(view.interval_s)

    def show() -> None:
        if shown.due():
            progress.read()
            for line in progress.take_news():
                view.warn(line)
            view.show(run_state(progress, of_roles(progress)))

    view.show(run_state(progress, of_roles(progress)))
    parts = InProcessRun(options, lambda: not stop.is_set())
    life = Life.FAILED
    try:
        status = _drive(parts, stop, show)
        view.say(screen.STOPPED if stop.is_set() else screen.ENDED)
        _finish(parts, stop)
        life = Life.FINISHED
    finally:
        progress.read()
        states = (ProcessState(role, 0, role, life) for role in figures.PROCESSES)
        view.show_last(run_state(progress, states))
        parts.close()
    return Outcome(status, stop.exit_code)


def _finish(parts: InProcessRun, stop: StopSignal) -> None:
    """Stores what the run has come to."""
    parts.trainer.save()
    parts.report()
    parts.trainer.export()
    parts.judge.draw_returns()
    parts.judge.close()
    if not stop.is_set():
        parts.judge.record_videos()


def _drive(parts: InProcessRun, stop: StopSignal, show: Callable[[], None]) -> str:
    """Takes turns; evaluates at multiples of the train step, and at the end."""
    parts.judge.judge_random_policy()
    parts.report()
    told, save = Interval(_REPORT_S), Interval(parts.checkpoint_interval_s)
    next_evaluation = parts.trainer.train_step
    while not stop.is_set():
        if parts.is_done or parts.trainer.train_step >= next_evaluation:
            next_evaluation += parts.evaluation_interval
            if parts.evaluate():
                return run_status.TARGET_REACHED
        if parts.is_done:
            return run_status.MAX_TRAIN_STEPS
        parts.take_turn()
        if save.due():
            parts.trainer.save()
        if told.due():
            parts.report()
        show()
    return run_status.INTERRUPTED
