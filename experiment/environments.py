"""Environments: made by name through gym, seeded, batched in one process.

The only module that imports gym.
"""

from __future__ import annotations

import difflib
import functools
import os
from collections.abc import Sequence
from typing import Any, Callable

# Rendering needs no display, and the SDL library looks at these when imported.
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")

import gin
import gym
import numpy as np
from tf_agents.environments import (
    batched_py_environment,
    py_environment,
    suite_gym,
    wrappers,
)
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types
from tf_agents.utils import nest_utils

from experiment import recovery
from experiment.errors import ConfigurationError, check_number
from experiment.gym_batch import CUT_OFF, GymBatch

EnvironmentFactory = Callable[[], py_environment.PyEnvironment]


@gin.configurable
def gym_environment(
    name: str | None = None, max_episode_steps: int | None = None
) -> py_environment.PyEnvironment:
    """Makes one environment of gym's registry.

    `suite_gym.load` leaves gym's own TimeLimit inside its wrapper, and so reports
    the time limit as a terminal state (discount 0). Here gym's is taken off: the last
    step of a cut-off episode keeps its discount.

    Args:
      name: The registered name, e.g. `CartPole-v1`.
      max_episode_steps: Time limit in steps; None is the registered one, 0 is none.

    Returns:
      The environment, unbatched.

    Raises:
      ConfigurationError: No environment has this name, or it cannot be made.
    """
    if not isinstance(name, str):
        raise ConfigurationError(
            f"gym_environment.name is {name!r}; it must be the name of an environment "
            "that gym knows, e.g. 'CartPole-v1'."
        )
    if max_episode_steps is not None:
        check_number(
            "gym_environment.max_episode_steps", max_episode_steps, 0, integer=True
        )
    try:
        spec = gym.spec(name)
        if max_episode_steps is None:
            max_episode_steps = spec.max_episode_steps
        return GymEnvironment(lambda: _without_time_limit(spec), max_episode_steps)
    except (gym.error.Error, ImportError, AttributeError) as error:
        known = [env.id for env in gym.envs.registry.all()]
        close = difflib.get_close_matches(name, known, n=3) or known[:3]
        remedy = f"did you mean {' or '.join(close)}?"
        if name in known:
            remedy = "install what it needs, or choose another environment."
        reason = str(error).strip().partition("\n")[0]
        raise ConfigurationError(
            f"gym_environment.name is {name!r}, which gym cannot make ({reason}); "
            f"{remedy}"
        ) from error


def _without_time_limit(spec: Any) -> gym.Env:
    """Makes the environment of a spec of gym's registry."""
    environment = spec.make()
    while isinstance(environment, gym.wrappers.TimeLimit):
        environment = environment.env
    return environment


class GymEnvironment(wrappers.PyEnvironmentBaseWrapper):
    """One gym environment through TF-Agents' suite_gym, or a whole batch at once."""

    def __init__(
        self, make: Callable[[], gym.Env], max_episode_steps: int | None
    ) -> None:
        """Makes the environment.

        Args:
          make: Makes the gym environment, without a time limit. If it cuts off
            episodes by itself, it says so as gym's TimeLimit does.
          max_episode_steps: Time limit in steps; None or 0 is none.
        """
        self._make = make
        self._max_episode_steps = max_episode_steps
        super().__init__(
            suite_gym.wrap_env(make(), max_episode_steps=max_episode_steps or 0)
        )

    def _step(self, action: types.NestedArray) -> ts.TimeStep:
        """One that is only cut off keeps its discount, whoever has cut it off."""
        step = super()._step(action)
        if step.is_last() and self.get_info().get(CUT_OFF, False):
            return step._replace(discount=np.ones_like(step.discount))
        return step

    def batch(self, count: int) -> py_environment.PyEnvironment:
        """Makes `count` more of this environment, to be stepped together."""
        if not isinstance(self.action_spec(), array_spec.ArraySpec):
            return EnvironmentBatch([self.copy() for _ in range(count)], self.copy)
        return GymBatch(
            self._make,
            count,
            self.time_step_spec(),
            self.action_spec(),
            self._max_episode_steps,
        )

    def copy(self) -> GymEnvironment:
        """Another environment like this one."""
        return GymEnvironment(self._make, self._max_episode_steps)


class EnvironmentBatch(batched_py_environment.BatchedPyEnvironment):
    """Any environments, stepped one after another.

    They run in the calling thread: for quick environments, threads and processes cost
    more than they win (openai/gym#3125). One that fails is made anew: its time step is
    then a first one, in the midst of an episode.

    Attributes:
      recovery: Knows of the failures.
    """

    def __init__(
        self,
        environments: Sequence[py_environment.PyEnvironment],
        make: EnvironmentFactory,
    ) -> None:
        """Takes unbatched environments.

        Args:
          environments: To begin with.
          make: Makes another one, in the place of one that has failed.
        """
        super().__init__(list(environments), multithreading=False)
        self._make = make
        self.recovery = recovery.Recovery()

    def seed(self, seed: int) -> None:
        """Gives each environment a seed of its own, derived from this one.

        Raises:
          ConfigurationError: It has no seed to be given.
        """
        numbers = self.recovery.seed(seed, self.batch_size)
        for environment, number in zip(self.envs, numbers):
            try:
                environment.seed(int(number))
            except NotImplementedError as error:
                raise ConfigurationError(
                    f"{type(environment).__name__} has no method seed(seed), so the "
                    "run's seed could not be honoured; add it, even if nothing is "
                    "random."
                ) from error

    def _reset(self) -> ts.TimeStep:
        return self._advance([environment.reset for environment in self.envs])

    def _step(self, actions: types.NestedArray) -> ts.TimeStep:
        own = batched_py_environment.unstack_actions(actions)
        return self._advance(
            [
                functools.partial(environment.step, action)
                for environment, action in zip(self.envs, own)
            ]
        )

    def _advance(self, calls: Sequence[Callable[[], ts.TimeStep]]) -> ts.TimeStep:
        """Makes the call of each environment; returns their time steps, batched."""
        steps = []
        for number, call in enumerate(calls):
            self.recovery.active = number
            try:
                steps.append(call())
            except Exception as error:  # noqa: BLE001  (a user's code raises anything)
                steps.append(self._restart(number, error))
        batch = nest_utils.stack_nested_arrays(steps)
        if poison := recovery.not_finite_in(batch):
            for number, reason in poison.items():
                steps[number] = self._restart(number, reason)
            batch = nest_utils.stack_nested_arrays(steps)
        if self.recovery.has_suspects:
            self.recovery.moved(np.flatnonzero(~batch.is_first()).tolist())
        return batch

    def _restart(self, number: int, error: Exception) -> ts.TimeStep:
        """Puts a new environment in the place of one; returns its first time step."""

        def begin() -> ts.TimeStep:
            recovery.close_quietly(self._envs[number])
            environment = self._envs[number] = self._make()
            seed = self.recovery.fresh_seed()
            if seed is not None:
                environment.seed(seed)
            step = environment.reset()
            batch_of_one = nest_utils.batch_nested_array(step)
            for reason in recovery.not_finite_in(batch_of_one).values():
                raise reason
            return step

        self.recovery.active = number
        return self.recovery.restart(number, error, begin)


def batched(
    factory: EnvironmentFactory, count: int, seed: np.random.SeedSequence
) -> py_environment.PyEnvironment:
    """Makes `count` environments that are stepped together, each with its own seed.

    Args:
      factory: Makes one unbatched environment.
      count: How many.
      seed: Each environment gets its own child of this seed.

    Returns:
      The batch; time steps have a leading dimension of `count`.

    Raises:
      ConfigurationError: The environment takes no seed.
    """
    batch = together(factory, count)
    batch.seed(int(seed.generate_state(1)[0]))
    return batch


def together(factory: EnvironmentFactory, count: int) -> py_environment.PyEnvironment:
    """Makes `count` environments that are stepped together, without a seed.

    An environment that can be stepped as a batch says so by a method `batch(count)`,
    which returns a batched PyEnvironment; of any other, `count` are made.

    The batch outlives failures of its environments; its attribute `recovery` (see
    `recovery.Recovery`) counts them. One that cannot be made at the start is an error.

    Args:
      factory: Makes one unbatched environment.
      count: How many.

    Returns:
      The batch; time steps have a leading dimension of `count`.
    """
    first = factory()
    # Of the class itself: TF-Agents' wrappers pass on attributes of what they wrap.
    if not hasattr(type(first), "batch"):
        others = [factory() for _ in range(count - 1)]
        return EnvironmentBatch([first, *others], factory)
    batch = first.batch(count)
    if isinstance(getattr(batch, "recovery", None), recovery.Recovery):
        return batch
    return recovery.RecoveringBatch(batch, lambda: factory().batch(count))
