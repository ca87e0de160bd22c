"""How the replay of a run is spread over several servers.

Each environment of the run belongs to one of them: so all get the same number of
inserts, as nearly as the environments can be shared out, and each holds a fair sample
of what the run collects, of every actor with enough environments.
"""

from __future__ import annotations

import dataclasses
import math

from tf_agents.agents import tf_agent

from experiment.agents import OnPolicyAgent
from experiment.definition import Experiment
from experiment.errors import ConfigurationError


def share_of(experiment: Experiment, servers: int) -> Experiment:
    """What is learned, with the sizes that each of several replay servers has.

    The ratio of samples to inserts is the same on each, so it is that of the whole run.

    Args:
      experiment: As the run has it.
      servers: The first one included.
    """
    if servers == 1:
        return experiment
    replay, collect = experiment.replay, experiment.collect
    return dataclasses.replace(
        experiment,
        replay=dataclasses.replace(
            replay,
            max_size=replay.max_size // servers,
            min_size_to_sample=math.ceil(replay.min_size_to_sample / servers),
        ),
        collect=dataclasses.replace(
            collect,
            initial_collect_steps=math.ceil(collect.initial_collect_steps / servers),
        ),
    )


def environments_of(server: int, servers: int, task: int, count: int) -> slice:
    """Which environments of an actor write to a server.

    Args:
      server: Number of the server; 0 is the first.
      servers: All of them.
      task: Number of the actor.
      count: Environments of each actor.

    Returns:
      Their numbers; there may be none.
    """
    return slice((server - task * count) % servers, count, servers)


def check(
    experiment: Experiment, agent: tf_agent.TFAgent, num_actors: int, servers: int
) -> None:
    """Refuses what cannot be spread.

    Args:
      experiment: As the run has it.
      agent: Of the experiment.
      num_actors: Actors of the run.
      servers: The first one included.

    Raises:
      ConfigurationError: It cannot.
    """
    if servers == 1:
        return
    asked = f"--num_replay_servers is {servers}, but"
    replay, collect = experiment.replay, experiment.collect
    if isinstance(agent, OnPolicyAgent):
        raise ConfigurationError(
            f"{asked} {type(agent.wrapped).__name__} learns from each window once, in "
            "the order of one queue; leave it out."
        )
    if replay.is_prioritized:
        raise ConfigurationError(
            f"{asked} Replay.priority_exponent is {replay.priority_exponent}, and the "
            "priorities of several servers cannot be compared; set it to 0, or leave "
            "--num_replay_servers out."
        )
    environments = num_actors * collect.envs_per_actor
    if environments < servers:
        raise ConfigurationError(
            f"{asked} {num_actors} actors have {environments} environments in all, "
            "each of which writes to one server; use more actors or fewer servers."
        )
    first = max(replay.min_size_to_sample, collect.initial_collect_steps)
    if math.ceil(first / servers) > replay.max_size // servers:
        raise ConfigurationError(
            f"{asked} a share of Replay.max_size, {replay.max_size // servers}, is "
            f"less than that of the {first} transitions before the first sample; raise "
            "Replay.max_size."
        )
