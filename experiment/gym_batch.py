"""gym environments that are stepped together, without a wrapper around each.

TF-Agents' wrappers cost 35 to 120 µs for each step of each environment, CartPole
itself 5 µs (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tf_agents.environments import py_environment
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types


class GymBatch(py_environment.PyEnvironment):
    """A batch of gym environments, each with an episode of its own.

    The step after the last one of an episode begins the next episode of that
    environment; its action is ignored. A time limit is not a terminal state: the last
    step of an episode that it cuts off keeps a discount of 1.
    """

    def __init__(
        self,
        environments: Sequence[Any],
        time_step_spec: ts.TimeStep,
        action_spec: types.ArraySpec,
        max_episode_steps: int | None,
    ) -> None:
        """Takes the environments.

        Args:
          environments: gym environments without a time limit of their own, whose
            observations and actions are single arrays.
          time_step_spec: Of one environment.
          action_spec: Of one environment.
          max_episode_steps: Time limit in steps; None or 0 is none.
        """
        super().__init__()
        self._environments = list(environments)
        self._time_step_spec = time_step_spec
        self._action_spec = action_spec
        self._limit = max_episode_steps or np.inf
        count = len(self._environments)
        self._elapsed = np.zeros(count, np.int64)
        self._ended = np.ones(count, bool)

    @property
    def batched(self) -> bool:
        """Always."""
        return True

    @property
    def batch_size(self) -> int:
        """How many environments."""
        return len(self._environments)

    def observation_spec(self) -> types.NestedArraySpec:
        """Of one environment."""
        return self._time_step_spec.observation

    def action_spec(self) -> types.NestedArraySpec:
        """Of one environment."""
        return self._action_spec

    def seed(self, seed: int) -> None:
        """Gives each environment a seed of its own, derived from this one."""
        numbers = np.random.SeedSequence(seed).generate_state(self.batch_size)
        for environment, number in zip(self._environments, numbers):
            environment.seed(int(number))

    def render(self, mode: str = "rgb_array") -> np.ndarray:
        """Pictures of all environments, uint8 [B, height, width, 3]."""
        return np.stack([each.render(mode) for each in self._environments])

    def close(self) -> None:
        """Closes all environments."""
        for environment in self._environments:
            environment.close()

    def _reset(self) -> ts.TimeStep:
        self._ended[:] = True
        return self._step(np.zeros(self.batch_size))

    def _step(self, action: types.Array) -> ts.TimeStep:
        first = self._ended
        ended = np.zeros_like(first)
        spec = self._time_step_spec.observation
        observations = np.empty((self.batch_size, *spec.shape), spec.dtype)
        rewards = np.zeros(self.batch_size, np.float32)
        # Plain Python numbers for scalars: some environments use them as keys.
        actions = action.tolist() if action.ndim == 1 else action
        starts = first.tolist()
        for number, environment in enumerate(self._environments):
            if starts[number]:
                observations[number] = environment.reset()
            else:
                observations[number], rewards[number], ended[number], _ = (
                    environment.step(actions[number])
                )
        return self._time_step(first, ended, rewards, observations)

    def _time_step(
        self,
        first: np.ndarray,
        terminal: np.ndarray,
        rewards: np.ndarray,
        observations: np.ndarray,
    ) -> ts.TimeStep:
        self._elapsed = np.where(first, 0, self._elapsed + 1)
        self._ended = terminal | (self._elapsed >= self._limit)
        types_ = np.where(self._ended, ts.StepType.LAST, ts.StepType.MID)
        return ts.TimeStep(
            step_type=np.where(first, ts.StepType.FIRST, types_).astype(np.int32),
            reward=rewards,
            discount=np.where(terminal, 0, 1).astype(np.float32),
            observation=observations,
        )
