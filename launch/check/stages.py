"""All that is checked, in order: what builds on something that failed is left out."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Callable

from experiment import blame, definition, devices, seeding
from experiment.errors import ConfigurationError
from launch.check.environment import Environment, StallError
from launch.check.options import Options
from launch.check.parts import Parts
from launch.check.show import Title
from launch.check.trial import Trial
from launch.doctor.finding import FAIL, Finding


class Stages:
    """Checks a gin file."""

    def __init__(self, options: Options, root_dir: Path) -> None:
        """Checks nothing yet.

        Args:
          options: Say which, and how much to play.
          root_dir: Folder of a run that is thrown away afterwards.
        """
        self._options = options
        self._root_dir = root_dir
        self._failed: set[str] = set()

    def findings(self) -> Iterator[Title | Finding]:
        """Checks.

        Yields:
          What was found, as soon as it is known.

        Raises:
          ConfigurationError: The gin file cannot be loaded.
        """
        devices.use_one_cpu_thread()
        options = self._options
        experiment = definition.load_file(options.gin_file, options.gin_bindings)
        seeding.seed_role(options.seed, "check")
        yield Title("environment")
        yield from self._environment(Environment(experiment, options))
        if "environment" in self._failed:
            return
        yield Title("agent and replay table")
        yield from self._parts(Parts(experiment, options))
        if not self._failed:
            yield Title("training")
            yield from self._trial(experiment)

    def _environment(self, environment: Environment) -> Iterator[Finding]:
        yield from self._attempt("environment", environment.make)
        if self._failed:
            return
        yield from self._attempt("episodes", environment.play)
        if not self._failed:  # It comes back from its calls.
            yield from self._attempt("seed", environment.seeds)
            yield from self._attempt("batch", environment.batch)

    def _parts(self, parts: Parts) -> Iterator[Finding]:
        yield from self._attempt("agent", parts.agent)
        if "agent" in self._failed:
            return
        yield from self._attempt("exploration", parts.exploration)
        yield from self._attempt("table", parts.table)
        if "table" not in self._failed:
            yield from self._attempt("memory", parts.memory)

    def _trial(self, experiment: definition.Experiment) -> Iterator[Finding]:
        self._root_dir.mkdir()
        trial = Trial(experiment, self._options, self._root_dir)
        with contextlib.closing(trial):
            yield from self._attempt("train", trial.learn)
            if not self._failed:
                yield from self._attempt("store", trial.store)
                yield from self._attempt("binding", trial.bindings)

    def _attempt(
        self, name: str, stage: Callable[[], Iterable[Finding]]
    ) -> Iterator[Finding]:
        """Yields what a stage finds, and what it raises; remembers if it has failed.

        Args:
          name: Of the stage.
          stage: Checks.
        """
        try:
            for finding in stage():
                if finding.level == FAIL:
                    self._failed.add(name)
                yield finding
        except (ConfigurationError, StallError, TimeoutError) as error:
            self._failed.add(name)
            place = blame.place_of(error)
            remedy = f"see {place}" if place else ""
            yield Finding(FAIL, name, str(error).partition("\n")[0], remedy)
        except Exception as error:  # A user's code raises anything.
            logging.exception(name)
            self._failed.add(name)
            yield Finding(FAIL, name, blame.tell(error))
