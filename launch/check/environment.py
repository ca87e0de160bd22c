"""What is found about the environment: its specs, its episodes, its seed."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator
from typing import Callable, TypeVar

import numpy as np
import tensorflow as tf
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec

from experiment import blame, process, specs
from experiment.definition import Experiment
from launch.check.options import Options
from launch.check.play import Player, first_steps, same
from launch.check.time_steps import TimeStepRules
from launch.doctor.finding import FAIL, OK, WARN, Finding

_T = TypeVar("_T")

# Steps that two environments of one seed are compared over.
_COMPARED_STEPS = 10

# Episodes that were cut off at the same length are no chance from so many on, and if
# they are so long at least.
_MANY_EPISODES, _LONG_EPISODE = 3, 10


class StallError(RuntimeError):
    """The environment does not come back from a call; its text tells where it is."""


class Environment:
    """One environment of an experiment, under examination."""

    _environment: py_environment.PyEnvironment

    def __init__(self, experiment: Experiment, options: Options) -> None:
        """Makes nothing yet."""
        self._experiment = experiment
        self._options = options

    def make(self) -> Iterator[Finding]:
        """Makes one, and tells its specs."""
        made = self._bounded("its factory", self._experiment.environment)
        if not isinstance(made, py_environment.PyEnvironment):
            text = f"Experiment.environment makes {made!r}; it must make a"
            yield Finding(FAIL, "environment", f"{text} PyEnvironment of TF-Agents")
            return
        self._environment = made
        if made.batched:
            text = f"{type(made).__name__} is batched; one must be made at a time"
            remedy = "give its class a method batch(count) that makes a batch"
            yield Finding(FAIL, "environment", text, remedy)
            return
        specs.check_specs(made)
        yield Finding(OK, "environment", _kind(made))
        for name, nest in (
            ("observation", made.observation_spec()),
            ("action", made.action_spec()),
        ):
            for path, spec in specs.leaves(name, nest):
                yield Finding(OK, path, specs.describe(spec))

    def play(self) -> Iterator[Finding]:
        """Plays episodes, and tells what they were like and what was wrong."""
        options = self._options
        try:
            self._environment.seed(options.seed)
        except NotImplementedError:
            text = f"{type(self._environment).__name__} has no method seed(seed)"
            remedy = "add it, even if nothing is random"
            yield Finding(FAIL, "seed", text, remedy)
        player = Player(self._environment, options.seed, options.timeout_s)
        try:
            self._bounded(
                "playing", lambda: player.play(options.episodes, options.env_steps)
            )
        except TimeoutError as error:
            where = _where(player.thread)
            text = (
                f"{player.doing} has not come back for {options.timeout_s:g} s"
                f"{f', it is at {where}' if where else ''}"
            )
            raise StallError(text) from error
        yield from player.rules.broken.values()
        yield from self._episodes(player)
        if player.reuses:
            text = "an observation that was returned changes with the next step"
            remedy = "return a copy: what keeps it, as some drivers do, sees it change"
            yield Finding(WARN, "time steps", text, remedy)

    def _episodes(self, player: Player) -> Iterator[Finding]:
        """How long they are, and how they end."""
        count = len(player.lengths)
        if not count:
            yield _endless(player, self._options)
            return
        ended = f"{player.terminated} ended by themselves (discount 0)"
        cut_off = f"{count - player.terminated} were cut off (discount above 0)"
        lengths, returns = player.lengths, player.returns
        text = (
            f"{count} with random actions: {ended}, {cut_off}; {_range(lengths, ',')} "
            f"steps, returns {_range(returns, ',.4g')}"
        )
        is_limit = (
            player.terminated == count >= _MANY_EPISODES
            and len(set(lengths)) == 1
            and lengths[0] >= _LONG_EPISODE
        )
        if is_limit:
            remedy = (
                f"all took {lengths[0]} steps: if that is a time limit, it is no end; "
                "leave it to tf_agents.environments.wrappers.TimeLimit"
            )
            yield Finding(WARN, "episodes", text, remedy)
        else:
            yield Finding(OK, "episodes", text)

    def seeds(self) -> Iterator[Finding]:
        """Whether the same seed leads to the same episode."""
        one, two, three = (
            self._bounded(
                "playing with a seed",
                lambda seed=seed: first_steps(  # type: ignore[misc]
                    self._experiment.environment(), seed, _COMPARED_STEPS
                ),
            )
            for seed in (1, 1, 2)
        )
        differ = [not _same_nest(*pair) for pair in zip(one, two)]
        if any(differ):
            when = "after reset()" if differ[0] else f"after step {differ.index(True)}"
            text = f"two environments with the same seed differ {when}"
            remedy = "draw all that is random from a generator that seed() makes anew"
            yield Finding(WARN, "seed", text, remedy)
            return
        others = (
            "others with another"
            if not _same_nest(one[0], three[0])
            else ("the same with another: nothing is random, or not at the start")
        )
        yield Finding(
            OK, "seed", f"the same first observations with the same seed, {others}"
        )

    def batch(self) -> Iterator[Finding]:
        """Steps a batch that the environment makes of itself, if it does."""
        count = self._experiment.collect.envs_per_actor
        if not hasattr(type(self._environment), "batch"):
            yield Finding(OK, "batch", f"{count} in each actor, stepped in turn")
            return
        rules, reuses = self._bounded("a batch", lambda: self._play_batch(count))
        if reuses:
            text = "an observation of a batch changes with the next step"
            rules.broken["reuse"] = Finding(FAIL, "batch", text, "return a copy")
        for broken in rules.broken.values():
            yield broken._replace(name="batch")
        if not rules.broken:
            text = f"{count} in each actor, stepped by batch({count})"
            yield Finding(OK, "batch", text)

    def _play_batch(self, count: int) -> tuple[TimeStepRules, bool]:
        """Plays until all have begun anew; returns what broke, and if arrays change."""
        batch = self._environment.batch(count)
        if not batch.batched or batch.batch_size != count:
            raise TypeError(f"batch({count}) made no batch of {count}: {batch!r}")
        rules = TimeStepRules(self._environment.time_step_spec(), (count,))
        batch.seed(self._options.seed)
        actions = np.random.RandomState(0)
        spec = self._environment.action_spec()
        step, reuses = batch.reset(), False
        have_ended = np.zeros(count, bool)
        deadline = time.monotonic() + self._options.timeout_s
        for number in range(self._options.env_steps // count + 1):
            place = f"step {number} of a batch of {count}"
            if not rules.look(step, "step()" if number else "reset()", place):
                break
            if have_ended.all() or time.monotonic() > deadline:
                break
            have_ended |= step.is_last()
            before = step.observation
            kept = tf.nest.map_structure(np.array, before)
            step = batch.step(array_spec.sample_spec_nest(spec, actions, (count,)))
            reuses |= not _same_nest(kept, before)
        return rules, reuses

    def _bounded(self, what: str, work: Callable[[], _T]) -> _T:
        """Lets the environment work, for twice as long as it may play."""
        return process.call(what, work, 2 * self._options.timeout_s)


def _kind(environment: py_environment.PyEnvironment) -> str:
    """Its class, and those of what it wraps."""
    names = []
    while environment is not None:
        names.append(type(environment).__name__)
        environment = vars(environment).get("_env")
    return " around ".join(names)


def _endless(player: Player, options: Options) -> Finding:
    """No episode has ended."""
    if player.rules.broken:
        text = f"stopped after {player.env_steps:,} steps, before an episode has ended"
        return Finding(WARN, "episodes", text, "mend what is wrong first")
    text = f"none has ended in {player.env_steps:,} steps with random actions"
    if player.env_steps < options.env_steps:
        text = f"{text}, which took {options.timeout_s:g} s"
    remedy = (
        "evaluations play whole episodes: see that there is a time limit, e.g. "
        "tf_agents.environments.wrappers.TimeLimit, or try more by --env_steps"
    )
    return Finding(WARN, "episodes", text, remedy)


def _where(thread: int) -> str:
    """The user's line at which a thread is now; empty if it is at none."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001  (there is no other way)
    if frame is None:
        return ""
    users = [each for each in traceback.extract_stack(frame) if blame.is_users(each[0])]
    return f"{users[-1].filename}, line {users[-1].lineno}" if users else ""


def _range(values: list[int] | list[float], form: str) -> str:
    """Smallest and largest."""
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"


def _same_nest(one: object, two: object) -> bool:
    pairs = zip(tf.nest.flatten(one), tf.nest.flatten(two))
    return all(same(*pair) for pair in pairs)
