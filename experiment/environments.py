"""Environments: made by name through gym, seeded, batched in one process.

The only module that imports gym.
"""

from __future__ import annotations

import difflib
import os
from typing import Callable

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
)

from experiment.errors import ConfigurationError, check_number

EnvironmentFactory = Callable[[], py_environment.PyEnvironment]


@gin.configurable
def gym_environment(
    name: str | None = None, max_episode_steps: int | None = None
) -> py_environment.PyEnvironment:
    """Makes one environment of gym's registry.

    `suite_gym.load` leaves gym's own TimeLimit inside its wrapper, and so reports
    the time limit as a terminal state (discount 0). Here only TF-Agents' TimeLimit
    is used: the last step of a cut-off episode keeps its discount.

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
        environment = spec.make()
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
    while isinstance(environment, gym.wrappers.TimeLimit):
        environment = environment.env
    if max_episode_steps is None:
        max_episode_steps = spec.max_episode_steps
    return suite_gym.wrap_env(environment, max_episode_steps=max_episode_steps)


def batched(
    factory: EnvironmentFactory, count: int, seed: np.random.SeedSequence
) -> batched_py_environment.BatchedPyEnvironment:
    """Makes `count` environments that are stepped together, each with its own seed.

    They run in the calling thread: for environments as quick as these, threads and
    processes cost more than they win (openai/gym#3125).

    Args:
      factory: Makes one unbatched environment.
      count: How many.
      seed: Each environment gets its own child of this seed.

    Returns:
      The batch; time steps have a leading dimension of `count`.
    """
    environments = [factory() for _ in range(count)]
    for environment, number in zip(environments, seed.generate_state(count)):
        try:
            environment.seed(int(number))
        except NotImplementedError as error:
            raise ConfigurationError(
                f"{type(environment).__name__} has no method seed(seed), so the run's "
                "seed could not be honoured; add it, even if nothing is random."
            ) from error
    return batched_py_environment.BatchedPyEnvironment(
        environments, multithreading=False
    )
