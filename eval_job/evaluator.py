"""Plays episodes with a policy and adds up their rewards."""

from __future__ import annotations

import numpy as np
from tf_agents.environments import py_environment
from tf_agents.policies import py_policy


def evaluate(
    environment: py_environment.PyEnvironment,
    policy: py_policy.PyPolicy,
    seed: np.random.SeedSequence,
) -> np.ndarray:
    """Plays one episode in each environment, all at the same time.

    One episode each, not the first N to end: short episodes would count too often.

    Args:
      environment: Batched; its size is the number of episodes.
      policy: Takes batched time steps.
      seed: Decides on the initial states.

    Returns:
      The undiscounted return of each episode, float64 [episodes].
    """
    episodes = environment.batch_size
    environment.seed(int(seed.generate_state(1)[0]))
    time_step = environment.reset()
    state = policy.get_initial_state(episodes)
    returns = np.zeros(episodes)
    playing = np.ones(episodes, bool)
    while playing.any():
        step = policy.action(time_step, state)
        state = step.state
        time_step = environment.step(step.action)
        returns += np.where(playing, time_step.reward, 0)
        playing &= ~time_step.is_last()
    return returns
