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
from experiment.errors import ConfigurationError, check_number
from experiment.factories import check_factory


@gin.configurable
def observe_only(
    environment: environments.EnvironmentFactory = environments.gym_environment,
    entries: Sequence[int] = (),
    factors: Sequence[float] | None = None,
) -> py_environment.PyEnvironment:
    """Hides all but some entries of the observation, so that the state is not seen.

    E.g. CartPole without its velocities has entries (0, 2). A network has to find these
    from one step's difference of angles, which is a hundredth of a radian or less: it
    hardly learns to, unless a factor makes the angle larger.

    Args:
      environment: Makes the environment; its observation is one vector.
      entries: Numbers of the entries that are kept, from 0, in the order in which they
        are shown.
      factors: By what each of these is multiplied; None leaves them as they are.

    Returns:
      The environment, unbatched.

    Raises:
      ConfigurationError: The observation is no vector, or has no such entries; factors
        are not one positive number for each, or those of an observation of integers.
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
    return ObserveOnly(made, environment, entries, factors)


class ObserveOnly(wrappers.PyEnvironmentBaseWrapper):
    """One environment, or a batch of them, with some entries of its observations."""

    def __init__(
        self,
        environment: py_environment.PyEnvironment,
        factory: environments.EnvironmentFactory,
        entries: Sequence[int],
        factors: Sequence[float] | None,
    ) -> None:
        """Takes the environment, what makes another one, and what is to be seen."""
        super().__init__(environment)
        self._factory = factory
        self._entries, self._given_factors = list(entries), factors
        spec = environment.observation_spec()
        # Of the observation's own type, so that the product is too.
        self._factors = np.asarray(factors or [1] * len(entries), spec.dtype)
        self._spec = _narrowed(spec, self._entries, self._factors)

    def batch(self, count: int) -> ObserveOnly:
        """Makes `count` more of this environment, to be stepped together."""
        batch = environments.together(self._factory, count)
        return ObserveOnly(batch, self._factory, self._entries, self._given_factors)

    def observation_spec(self) -> types.NestedArraySpec:
        """Of one environment: a shorter vector."""
        return self._spec

    def _reset(self) -> ts.TimeStep:
        return self._narrow(self._env.reset())

    def _step(self, action: types.NestedArray) -> ts.TimeStep:
        return self._narrow(self._env.step(action))

    def _narrow(self, step: ts.TimeStep) -> ts.TimeStep:
        seen = step.observation[..., self._entries] * self._factors
        return step._replace(observation=seen)


def _narrowed(
    spec: array_spec.ArraySpec, entries: list[int], factors: types.NestedArray
) -> array_spec.ArraySpec:
    """The spec of these entries, with their bounds if there are any."""
    if not isinstance(spec, array_spec.BoundedArraySpec):
        return array_spec.ArraySpec((len(entries),), spec.dtype, spec.name)
    # Where there is no bound, it is the largest number, and so is its product.
    with np.errstate(over="ignore"):
        low, high = (
            np.nan_to_num(np.broadcast_to(bound, spec.shape)[entries] * factors)
            for bound in (spec.minimum, spec.maximum)
        )
    return array_spec.BoundedArraySpec(low.shape, spec.dtype, low, high, spec.name)


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
