"""After how many steps an environment cuts episodes off; what is too long for it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from tf_agents.agents import tf_agent
from tf_agents.environments import py_environment, wrappers

from experiment.errors import ConfigurationError


@runtime_checkable
class TimeLimited(Protocol):
    """An environment that says its limit itself."""

    @property
    def max_episode_steps(self) -> float:
        """In steps; infinite if there is none."""


def time_limit(environment: py_environment.PyEnvironment) -> float | None:
    """The limit in steps, as far as TF-Agents' wrapper or a batch of ours says it.

    Args:
      environment: May be wrapped, and batched.

    Returns:
      The smallest; None if none is known. There may be none, or the environment's own
      code may cut off.
    """
    limits: list[float] = []
    layer: Any = environment
    while isinstance(layer, wrappers.PyEnvironmentBaseWrapper):
        if isinstance(layer, wrappers.TimeLimit):
            limits.append(layer.duration)
        layer = layer.wrapped_env()
    if isinstance(layer, TimeLimited):
        limits.append(layer.max_episode_steps)
    return min(limits, default=None)


def check_windows(
    agent: tf_agent.TFAgent, environment: py_environment.PyEnvironment
) -> None:
    """Refuses windows that no episode which is cut off has room for.

    Windows go on after a terminal state, whose successor does not count, and those of
    an agent that takes sequences of any length over all ends. Others end with a cut-off
    episode (`reverb_server.replay_writer`).

    Args:
      agent: To be trained.
      environment: Its own.

    Raises:
      ConfigurationError: They are longer than the environment's time limit.
    """
    length, limit = agent.train_sequence_length, time_limit(environment)
    if length is None or limit is None or length - 1 <= limit:
        return
    raise ConfigurationError(
        f"{type(agent).__name__} trains on windows of {length - 1} transitions, its "
        f"n_step, but episodes are cut off after {limit:.0f}, and nothing could be "
        f"learned from those; n_step must be <= {limit:.0f}."
    )
