"""Environments of which the agent sees a part only."""

from __future__ import annotations

from collections.abc import Sequence

import gin
import numpy as np
from tf_agents.environments import py_environment, wrappers
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment import environments
from experiment.errors import ConfigurationError, check_bool, check_number
from experiment.factories import check_factory


@gin.configurable
def observe_only(
    environment: environments.EnvironmentFactory = environments.gym_environment,
    entries: Sequence[int] = (),
    factors: Sequence[float] | None = None,
    last_action: bool = False,
) -> py_environment.PyEnvironment:
    """Hides all but some entries of the observation, so that the state is not seen.

    E.g. CartPole without its velocities has entries (0, 2). A network has to find these
    from one step's difference of angles, which is a hundredth of a radian or less: it
    hardly learns to, unless a factor makes the angle larger. And that difference does
    not show what the last action did to the velocity: this is known only to who sees
    that action too, as in R2D2 (Kapturowski et al., 2019).

    Args:
      environment: Makes the environment; its observation is one vector.
      entries: Numbers of the entries that are kept, from 0, in the order in which they
        are shown.
      factors: By what each of these is multiplied; None leaves them as they are.
      last_action: Whether the action before is shown too, behind the entries: a 1 at
        its place, 0 at those of all others; all are 0 at the first step of an episode.

    Returns:
      The environment, unbatched.

    Raises:
      ConfigurationError: The observation is no vector, or has no such entries; factors
        are not one positive number for each, or those of an observation of integers;
        the action to be shown is not one of a number of choices.
    """
    check_factory("observe_only.environment", environment, takes=0)
    made = environment()
    spec = made.observation_spec()
    if not isinstance(spec, array_spec.ArraySpec) or len(spec.shape) != 1:
        raise ConfigurationError(
            f"observe_only.environment has the observation {spec}; it must be one "
            "vector."
        )
    _check_entries(entries, spec.shape[0])
    _check_factors(factors, entries, spec)
    check_bool("observe_only.last_action", last_action)
    if last_action:
        _check_action(made.action_spec())
    return ObserveOnly(made, environment, entries, factors, last_action)


class ObserveOnly(wrappers.PyEnvironmentBaseWrapper):
    """One environment, or a batch of them, with some entries of its observations."""

    def __init__(
        self,
        environment: py_environment.PyEnvironment,
        factory: environments.EnvironmentFactory,
        entries: Sequence[int],
        factors: Sequence[float] | None,
        last_action: bool,
    ) -> None:
        """Takes the environment, what makes another one, and what is to be seen."""
        super().__init__(environment)
        self._factory = factory
        self._entries, self._given_factors = list(entries), factors
        spec = environment.observation_spec()
        # Of the observation's own type, so that the product is too.
        self._factors = np.asarray(factors or [1] * len(entries), spec.dtype)
        self._choices = _choices(environment.action_spec()) if last_action else 0
        self._spec = _seen(spec, self._entries, self._factors, self._choices)

    def batch(self, count: int) -> ObserveOnly:
        """Makes `count` more of this environment, to be stepped together."""
        batch = environments.together(self._factory, count)
        seen = self._entries, self._given_factors, bool(self._choices)
        return ObserveOnly(batch, self._factory, *seen)

    def observation_spec(self) -> types.NestedArraySpec:
        """Of one environment: a shorter vector."""
        return self._spec

    def _reset(self) -> ts.TimeStep:
        step = self._env.reset()
        return self._narrow(step, np.zeros(np.shape(step.step_type), np.int64))

    def _step(self, action: types.NestedArray) -> ts.TimeStep:
        return self._narrow(self._env.step(action), action)

    def _narrow(self, step: ts.TimeStep, action: types.NestedArray) -> ts.TimeStep:
        seen = step.observation[..., self._entries] * self._factors
        if self._choices:
            taken = np.eye(self._choices, dtype=seen.dtype)[np.asarray(action)]
            taken[np.asarray(step.is_first())] = 0
            seen = np.concatenate([seen, taken], axis=-1)
        return step._replace(observation=seen)


def _seen(
    spec: array_spec.ArraySpec,
    entries: list[int],
    factors: types.NestedArray,
    choices: int,
) -> array_spec.ArraySpec:
    """The spec of what is left, with its bounds if there are any."""
    shape = (len(entries) + choices,)
    if not isinstance(spec, array_spec.BoundedArraySpec):
        return array_spec.ArraySpec(shape, spec.dtype, spec.name)
    # Where there is no bound, it is the largest number, and so is its product.
    with np.errstate(over="ignore"):
        low, high = (
            np.nan_to_num(np.broadcast_to(bound, spec.shape)[entries] * factors)
            for bound in (spec.minimum, spec.maximum)
        )
    low, high = np.append(low, np.zeros(choices)), np.append(high, np.ones(choices))
    return array_spec.BoundedArraySpec(
        shape, spec.dtype, low.astype(spec.dtype), high.astype(spec.dtype), spec.name
    )


def _choices(spec: array_spec.BoundedArraySpec) -> int:
    """How many actions there are."""
    return int(spec.maximum) + 1


def _check_entries(entries: Sequence[int], length: int) -> None:
    if not isinstance(entries, (list, tuple)) or not entries:
        raise ConfigurationError(
            f"observe_only.entries is {entries!r}; it must be the numbers of "
            f"the entries to keep, from 0 to {length - 1}, e.g. (0,)."
        )
    for entry in entries:
        check_number("observe_only.entries", entry, 0, at_most=length - 1, integer=True)
    if len(set(entries)) < len(entries):
        raise ConfigurationError(
            f"observe_only.entries is {entries!r}; each entry may be kept once only."
        )


def _check_factors(
    factors: Sequence[float] | None, entries: Sequence[int], spec: array_spec.ArraySpec
) -> None:
    if factors is None:
        return
    if not isinstance(factors, (list, tuple)) or len(factors) != len(entries):
        raise ConfigurationError(
            f"observe_only.factors is {factors!r}; it must be one number for each of "
            f"observe_only.entries ({entries!r}), e.g. {(1.0,) * len(entries)}."
        )
    for factor in factors:
        check_number("observe_only.factors", factor, above=0)
    if not np.issubdtype(spec.dtype, np.floating):
        raise ConfigurationError(
            f"observe_only.factors is {factors!r}, but the observation is of "
            f"{spec.dtype.name}; leave it out."
        )


def _check_action(spec: types.NestedArraySpec) -> None:
    if (
        not isinstance(spec, array_spec.BoundedArraySpec)
        or spec.shape
        or not np.issubdtype(spec.dtype, np.integer)
        or np.any(spec.minimum != 0)
    ):
        raise ConfigurationError(
            "observe_only.last_action is True, but the action is no number counted "
            f"from 0: {spec}; leave it out."
        )
