"""gym environments that are stepped together, without a wrapper around each.

Those of gymnasium too, by way of an adapter.

TF-Agents' wrappers cost 35 to 120 µs for each step of each environment, CartPole
itself 5 µs (docs/performance.md).
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import tensorflow as tf
from tf_agents.environments import py_environment
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment import recovery

# gym's word, in the info of a step that is done, for: cut off by a time limit.
CUT_OFF = "TimeLimit.truncated"


class GymBatch(py_environment.PyEnvironment):
    """A batch of gym environments, each with an episode of its own.

    The step after the last one of an episode begins the next episode of that
    environment; its action is ignored. A time limit is not a terminal state: the last
    step of an episode that it cuts off keeps a discount of 1. An environment that fails
    is made anew: its time step is then a first one, in the midst of an episode.

    Attributes:
      recovery: Knows of the failures.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        count: int,
        time_step_spec: ts.TimeStep,
        action_spec: types.ArraySpec,
        max_episode_steps: int | None,
    ) -> None:
        """Makes the environments.

        Args:
          make: Makes a gym environment whose actions are single arrays. If it cuts
            off episodes by itself, it says so as gym's TimeLimit does.
          count: How many.
          time_step_spec: Of one environment.
          action_spec: Of one environment.
          max_episode_steps: Time limit in steps; None or 0 is none.
        """
        super().__init__()
        self._make = make
        self._environments = [make() for _ in range(count)]
        self.recovery = recovery.Recovery()
        self._time_step_spec = time_step_spec
        self._specs = tf.nest.flatten(time_step_spec.observation)
        self._paths = _paths(time_step_spec.observation)
        self._action_spec = action_spec
        self._limit = max_episode_steps or np.inf
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

    @property
    def max_episode_steps(self) -> float:
        """The time limit; infinite if there is none."""
        return self._limit

    def observation_spec(self) -> types.NestedArraySpec:
        """Of one environment."""
        return self._time_step_spec.observation

    def action_spec(self) -> types.NestedArraySpec:
        """Of one environment."""
        return self._action_spec

    def seed(self, seed: int) -> None:
        """Gives each environment a seed of its own, derived from this one."""
        numbers = self.recovery.seed(seed, self.batch_size)
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
        first, memory = self._ended, self.recovery
        ended, cut_off = np.zeros((2, self.batch_size), bool)
        rewards = np.zeros(self.batch_size, np.float32)
        observations = self._rows(self.batch_size)
        only = observations[0] if self._paths == [()] else None
        # Plain Python numbers for scalars: some environments use them as keys.
        actions = action.tolist() if action.ndim == 1 else action
        starts = first.tolist()
        errors: dict[int, Exception] = {}
        for number, environment in enumerate(self._environments):
            memory.active = number
            try:
                if starts[number]:
                    seen = environment.reset()
                else:
                    seen, rewards[number], done, info = environment.step(
                        actions[number]
                    )
                    if done:
                        ended[number], cut_off[number] = True, info.get(CUT_OFF, False)
                if only is None:
                    self._put(observations, number, seen)
                else:
                    only[number] = seen
            except Exception as error:  # noqa: BLE001  (a user's code raises anything)
                errors[number] = error
        if errors or not recovery.seem_finite(*observations, rewards):
            # What stands in the rows of those that raised is of no interest.
            poison = recovery.not_finite(observation=observations, reward=rewards)
            failed = {**poison, **errors}
            self._replace(failed, observations)
            anew = list(failed)
            first[anew], ended[anew], rewards[anew] = True, False, 0
        if memory.has_suspects:
            memory.moved(np.flatnonzero(~first).tolist())
        return self._time_step(first, ended, cut_off, rewards, observations)

    def _rows(self, count: int) -> list[np.ndarray]:
        """Room for so many observations: an array for each part of one."""
        return [np.empty((count, *spec.shape), spec.dtype) for spec in self._specs]

    def _put(self, observations: list[np.ndarray], number: int, seen: Any) -> None:
        """Writes the parts of an observation into the rows of an environment."""
        for rows, path in zip(observations, self._paths):
            part = seen
            for key in path:
                part = part[key]
            rows[number] = part

    def _replace(
        self, failed: dict[int, Exception], observations: list[np.ndarray]
    ) -> None:
        """Puts new environments in the place of some, and what they show first."""
        for number, error in failed.items():
            for rows, fresh in zip(observations, self._restart(number, error)):
                rows[number] = fresh[0]

    def _restart(self, number: int, error: Exception) -> list[np.ndarray]:
        """Puts a new environment in the place of one; returns what it shows first."""

        def begin() -> list[np.ndarray]:
            recovery.close_quietly(self._environments[number])
            environment = self._environments[number] = self._make()
            seed = self.recovery.fresh_seed()
            if seed is not None:
                environment.seed(seed)
            observations = self._rows(1)
            self._put(observations, 0, environment.reset())
            for reason in recovery.not_finite(observation=observations).values():
                raise reason
            return observations

        self.recovery.active = number
        return self.recovery.restart(number, error, begin)

    def _time_step(
        self,
        first: np.ndarray,
        ended: np.ndarray,
        cut_off: np.ndarray,
        rewards: np.ndarray,
        observations: list[np.ndarray],
    ) -> ts.TimeStep:
        self._elapsed = np.where(first, 0, self._elapsed + 1)
        self._ended = ended | (self._elapsed >= self._limit)
        types_ = np.where(self._ended, ts.StepType.LAST, ts.StepType.MID)
        spec = self._time_step_spec.observation
        return ts.TimeStep(
            step_type=np.where(first, ts.StepType.FIRST, types_),
            reward=rewards,
            discount=(~ended | cut_off).astype(np.float32),
            observation=tf.nest.pack_sequence_as(spec, observations),
        )


def _paths(spec: types.NestedArraySpec) -> list[tuple[Any, ...]]:
    """The keys that lead to each part of an observation, in the order of tf.nest."""
    if isinstance(spec, dict):
        parts = sorted(spec.items())
    elif isinstance(spec, (tuple, list)):
        parts = list(enumerate(spec))
    else:
        return [()]
    return [(key, *rest) for key, part in parts for rest in _paths(part)]
