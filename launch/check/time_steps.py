"""Whether the time steps of an environment are what its specs say, and in order."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import tensorflow as tf
from tf_agents.specs import array_spec
from tf_agents.trajectories import StepType
from tf_agents.trajectories import time_step as ts

from experiment import specs
from launch.doctor.finding import FAIL, WARN, Finding

_NAMES = {0: "FIRST", 1: "MID", 2: "LAST"}

_BEGIN_ANEW = (
    "begin _step() with `if self._current_time_step.is_last(): return self.reset()`"
)
_BEGIN_THIS_ANEW = (
    "after an environment's LAST, ignore its action and return its first time step"
)


class TimeStepRules:
    """Looks at the time steps of one environment, one after another.

    Attributes:
      broken: By the rule, where it was broken first.
    """

    def __init__(self, spec: ts.TimeStep, batch: tuple[int, ...] = ()) -> None:
        """Has seen nothing yet.

        Args:
          spec: Of one unbatched time step.
          batch: The size of the batch, if it is one.
        """
        self._spec = spec
        self._batch = batch
        self._before: list[int] | None = None  # Of each environment of the batch.
        self.broken: dict[str, Finding] = {}

    def look(self, step: Any, call: str, place: str) -> bool:
        """Looks at what a call has returned.

        Args:
          step: What it was.
          call: `reset()` or `step()`.
          place: Which call it was, in words.

        Returns:
          Whether it can be gone on with: it is a time step with a step type.
        """
        if not isinstance(step, ts.TimeStep):
            text = f"{call} returned {_short(step)}; it must return a TimeStep"
            self._break("kind", text, place, "make it by ts.restart, ts.transition ...")
            return False
        for name in ("step_type", "reward", "discount"):
            self._look_at(name, getattr(step, name), getattr(self._spec, name), place)
        self._look_at_observation(step.observation, place)
        if {"step_type", "step_type:type"} & self.broken.keys():
            return False
        kinds = np.ravel(step.step_type).tolist()
        befores = self._before or itertools.repeat(None)
        for number, (kind, before) in enumerate(zip(kinds, befores)):
            which = f", environment {number}" if self._batch else ""
            self._look_at_order(before, kind, call, f"{place}{which}")
        self._before = kinds
        return True

    def _look_at_observation(self, observation: Any, place: str) -> None:
        wanted = self._spec.observation
        try:
            tf.nest.assert_same_structure(observation, wanted)
        except (ValueError, TypeError):
            text = (
                f"the observation is {_shape_of(observation)}; by observation_spec() "
                f"it must be {_shape_of(wanted)}"
            )
            self._break("nest", text, place, "return the parts under these names")
            return
        pairs = zip(specs.leaves("observation", observation), tf.nest.flatten(wanted))
        for (path, value), spec in pairs:
            self._look_at(path, value, spec, place)

    def _look_at(
        self, name: str, value: Any, spec: array_spec.ArraySpec, place: str
    ) -> None:
        """Compares one array with its spec."""
        wanted = specs.describe(spec)
        if not isinstance(value, (np.ndarray, np.generic)):
            text = f"the {name} is {_short(value)}; it must be a NumPy array, {wanted}"
            remedy = f"return np.asarray(x, np.{np.dtype(spec.dtype).name})"
            self._break(f"{name}:type", text, place, remedy)
            return
        found = f"{value.dtype.name}{list(value.shape)}"
        if value.shape != self._batch + tuple(spec.shape):
            shape = list(self._batch + tuple(spec.shape))
            text = f"the {name} is {found}; its shape must be {shape} ({wanted})"
            self._break(name, text, place, "return that, or change the spec")
        elif value.dtype != spec.dtype:
            text = f"the {name} is {found}; by its spec it must be {wanted}"
            remedy = f"return np.asarray(x, np.{np.dtype(spec.dtype).name})"
            self._break(name, f"{text}", place, f"{remedy}, or change the spec")
        else:
            self._look_at_values(name, value, spec, place)

    def _look_at_values(
        self, name: str, value: Any, spec: array_spec.ArraySpec, place: str
    ) -> None:
        """All finite, and within the bounds."""
        if not np.all(np.isfinite(value)):
            text = f"the {name} has {_first(value, ~np.isfinite(value))} in it"
            remedy = "a run would begin a new episode; see what it comes from"
            self._break(f"{name}:finite", text, place, remedy)
        elif isinstance(spec, array_spec.BoundedArraySpec):
            beyond = (value < spec.minimum) | (value > spec.maximum)
            if np.any(beyond):
                text = (
                    f"the {name} has {_first(value, beyond)} in it; by its spec it "
                    f"must be {specs.describe(spec)}"
                )
                # One-hot vectors and discounts go by their bounds; numbers do not.
                is_number = name.startswith("observation") and value.dtype.kind == "f"
                remedy = "clip it, or widen the bounds of the spec"
                level = WARN if is_number else FAIL
                self._break(f"{name}:bounds", text, place, remedy, level)

    def _look_at_order(
        self, before: int | None, kind: int, call: str, place: str
    ) -> None:
        """FIRST, then MIDs, then LAST, then FIRST."""
        name = _NAMES.get(kind, str(kind))
        after_end = before == StepType.LAST
        if call == "reset()" or before is None or after_end:
            if kind != StepType.FIRST:
                when = "after a LAST time step" if call == "step()" else "in any case"
                text = f"{call} returned step type {name}; {when} it must be FIRST"
                anew = _BEGIN_THIS_ANEW if self._batch else _BEGIN_ANEW
                remedy = anew if after_end else "return ts.restart(observation)"
                self._break("order", text, place, remedy)
        elif kind not in (StepType.MID, StepType.LAST):
            text = (
                f"step() returned step type {name} in an episode; it must be MID or "
                "LAST"
            )
            remedy = "return ts.transition, ts.termination or ts.truncation"
            self._break("order", text, place, remedy)

    def _break(
        self, rule: str, text: str, place: str, remedy: str, level: str = FAIL
    ) -> None:
        """Keeps the first time that a rule is broken."""
        self.broken.setdefault(
            rule, Finding(level, "time steps", f"{text} ({place})", remedy)
        )


def _first(value: Any, chosen: Any) -> str:
    """An example of what is wrong, and how much is."""
    example = np.asarray(value)[chosen].ravel()[0]
    if np.asarray(value).size == 1:
        return str(example)
    return f"{example} and {np.sum(chosen)} such of {np.size(value)} numbers"


def _short(value: Any) -> str:
    """What was returned instead, in a few words."""
    text = repr(value).partition("\n")[0]
    text = text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004
    return f"{text} ({type(value).__name__})"


def _shape_of(nest: Any) -> str:
    """The paths of a nest."""
    paths = [path for path, _ in specs.leaves("", nest)]
    if paths == [""]:
        return f"one {type(nest).__name__}"
    return f"a {type(nest).__name__} of {', '.join(path[1:] for path in paths)}"
