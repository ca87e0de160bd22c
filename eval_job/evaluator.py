"""Plays episodes with a policy and adds up their rewards."""

from __future__ import annotations

import numpy as np
from tf_agents.environments import py_environment
from tf_agents.policies import py_policy

# Times that one environment may fail in the midst of its episode. One that fails in
# nine episodes of ten gets through with a probability of 0.99997.
_MAX_REPLAYS = 100


def evaluate(
    environment: py_environment.PyEnvironment,
    policy: py_policy.PyPolicy,
    seed: np.random.SeedSequence,
) -> np.ndarray:
    """Plays one episode in each environment, all at the same time.

    One episode each, not the first N to end: short episodes would count too often. An
    environment that fails in the midst of its episode, and is made anew, begins its
    episode anew.

    Args:
      environment: Batched; its size is the number of episodes.
      policy: Takes batched time steps.
      seed: Decides on the initial states.

    Returns:
      The undiscounted return of each episode, float64 [episodes].

    Raises:
      RuntimeError: An environment fails in all of its episodes.
    """
    episodes = environment.batch_size
    environment.seed(int(seed.generate_state(1)[0]))
    time_step = environment.reset()
    state = policy.get_initial_state(episodes)
    returns = np.zeros(episodes)
    playing = np.ones(episodes, bool)
    replays = np.zeros(episodes, np.int64)
    while playing.any():
        step = policy.action(time_step, state)
        state = step.state
        time_step = environment.step(step.action)
        returns += np.where(playing, time_step.reward, 0)
        abandoned = playing & time_step.is_first()
        if abandoned.any():
            returns[abandoned] = 0
            replays += abandoned
            _require_progress(replays)
        playing &= ~time_step.is_last()
    return returns


def _require_progress(replays: np.ndarray) -> None:
    """Raises `RuntimeError` if an environment has begun its episode too often."""
    if replays.max() >= _MAX_REPLAYS:
        raise RuntimeError(
            f"environment {replays.argmax()} of the evaluation failed "
            f"{replays.max()} times before its first episode was through; the log says "
            "how; mend the environment."
        )
