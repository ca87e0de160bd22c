"""A run of seconds: real environments, a real server, a real step of training."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from experiment import process, unused
from experiment.definition import Experiment
from experiment.learner_device import LearnerDevice
from launch.check.options import Options
from launch.doctor.finding import OK, WARN, Finding
from launch.in_process import InProcessRun
from launch.options import Options as RunOptions

# Seconds to build, to compile and to learn for the first time, on a busy machine.
_TIMEOUT_S = 120.0


class Trial:
    """All roles in this process, until they have learned once."""

    def __init__(
        self, experiment: Experiment, options: Options, root_dir: Path
    ) -> None:
        """Starts nothing yet.

        Args:
          experiment: What is learned.
          options: How it was bound.
          root_dir: Empty folder that nobody needs later.
        """
        self._experiment = experiment
        self._options = options
        self._root_dir = root_dir
        self._run: InProcessRun | None = None
        # The more environments, the longer one round of steps may take.
        envs = experiment.collect.envs_per_actor
        self._timeout_s = _TIMEOUT_S + envs * options.timeout_s

    def learn(self) -> Iterator[Finding]:
        """Starts the server, collects what the first batch needs, and learns twice."""
        start = time.monotonic()
        self._run = run = process.call("the parts", self._build, self._timeout_s)
        first_s = process.call(
            "the first update", lambda: _update(run), self._timeout_s
        )
        text = (
            f"{run.collector.env_steps:,} environment steps, "
            f"{run.collector.transitions:,} transitions written, "
            f"the first batch sampled, {time.monotonic() - start:.1f} s "
            "in all"
        )
        yield Finding(OK, "collect", text)
        next_s = process.call("the next update", lambda: _update(run), self._timeout_s)
        text = (
            f"loss {run.trainer.figures()['loss']:.4g}; training on the first batch "
            f"took {first_s:.1f} s, with compiling, the next {1_000 * next_s:.0f} ms"
        )
        yield Finding(OK, "train", text)

    def _build(self) -> InProcessRun:
        return InProcessRun(
            RunOptions(
                num_actors=1,
                actors_elsewhere=0,
                num_replay_servers=1,
                gin_file=str(self._options.gin_file),
                gin_bindings=[*self._options.gin_bindings, *self._short()],
                root_dir=self._root_dir,
                seed=self._options.seed,
                port=None,
                metrics_address=None,
                isolate=False,
                in_process=True,
                quiet=True,
                resume=False,
                discard_replay=False,
                max_restarts=0,
                learner_device=LearnerDevice(),
            ),
            lambda: True,
        )

    def _short(self) -> list[str]:
        """Bindings that let the first batch be sampled soon, and nobody wait."""
        replay = self._experiment.replay
        wanted = min(replay.batch_size, replay.min_size_to_sample)
        first = max(wanted, replay.env_steps_per_item)
        random = min(first, self._experiment.collect.initial_collect_steps)
        return [
            f"Replay.min_size_to_sample = {first}",
            "Replay.samples_per_insert = None",
            "Replay.samples_per_insert_tolerance = None",
            f"Collect.initial_collect_steps = {random}",
        ]

    def store(self) -> Iterator[Finding]:
        """Writes what a run writes: a checkpoint, and the policies."""
        if self._run:
            trainer = self._run.trainer
            process.call("a checkpoint", trainer.save, self._timeout_s)
            process.call("saved policies", trainer.export, self._timeout_s)
            yield Finding(OK, "store", "checkpoint and policies can be written")

    def bindings(self) -> Iterator[Finding]:
        """Looks for bindings that nothing has taken, not even the user's own code."""
        for each in unused.find():
            name = f"{each.name}.{each.parameter}"
            text = f"{name} ({each.place}) was not taken by anything in this trial"
            yield Finding(WARN, "binding", text, "look whether it is needed")

    def close(self) -> None:
        """Ends the server, if there is one."""
        if self._run:
            self._run.close()


def _update(run: InProcessRun) -> float:
    """Takes turns until there was a gradient step; returns the seconds it took."""
    before = run.trainer.train_step
    while run.trainer.train_step == before:
        start = time.monotonic()
        run.take_turn()
    return time.monotonic() - start
