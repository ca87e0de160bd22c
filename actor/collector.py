"""Collects experience: environments, a policy, and the way to the replay table."""

from __future__ import annotations

import math
from typing import Any, Callable, Protocol

import numpy as np
from tf_agents.agents import tf_agent
from tf_agents.drivers import py_driver
from tf_agents.environments import py_environment
from tf_agents.metrics import py_metrics
from tf_agents.policies import random_tf_policy, tf_policy
from tf_agents.trajectories import StepType, trajectory

from experiment.batched_policy import BatchedPolicy
from reverb_server.frame_stack import StackCheck
from reverb_server.replay_layout import RANDOM_POLICY
from reverb_server.replay_writer import ReplayWriter
from reverb_server.sharded_writer import ShardedWriter

# Episodes over which an actor averages its returns.
_RETURN_EPISODES = 20


class ActingWeights(Protocol):
    """Knows which weights the policy acts with."""

    @property
    def train_step(self) -> int:
        """Gradient steps that made these weights."""


def _same() -> None:
    """Another policy is never wanted."""


class Collector:
    """Steps environments with the random policy first, then with the collect policy.

    Attributes:
      rounds_per_version: Says how many steps of each environment an on-policy agent
        needs of the same weights; None for all others.
    """

    def __init__(
        self,
        environment: py_environment.PyEnvironment,
        agent: tf_agent.TFAgent,
        policy: tf_policy.TFPolicy,
        writer: ReplayWriter | ShardedWriter,
        weights: ActingWeights,
        random_steps: int,
        *,
        rounds_per_version: Callable[[], int] | None = None,
        another_policy: Callable[[], tf_policy.TFPolicy | None] = _same,
    ) -> None:
        """Resets the environments.

        Args:
          environment: Batched, by `environments.batched`.
          agent: Knows the specs.
          policy: What to act with once there are weights.
          writer: Observes every step.
          weights: Those of `policy`; their train step goes into the data.
          random_steps: Steps to take with the random policy first.
          rounds_per_version: Says how many steps of each environment an on-policy agent
            needs of the same weights; None for all others.
          another_policy: Asked before each run: a policy of the same weights to act
            with from now on, None to go on with the one it has.
        """
        self._writer = writer
        frames = writer.layout.frames
        self._checks: list[Callable[[trajectory.Trajectory], None]] = []
        if frames > 1:
            self._checks.append(StackCheck(frames))
        self._weights = weights
        self.rounds_per_version = rounds_per_version
        self._another_policy = another_policy
        self._random_steps = random_steps
        self._environment = environment
        batch_size = environment.batch_size
        self._returns = py_metrics.AverageReturnMetric(
            batch_size=batch_size, buffer_size=_RETURN_EPISODES
        )
        self._episodes = py_metrics.NumberOfEpisodes()
        self._env_steps = 0
        self._random_policy = BatchedPolicy(
            random_tf_policy.RandomTFPolicy(
                agent.time_step_spec,
                agent.action_spec,
                info_spec=agent.collect_policy.info_spec,
            )
        )
        self._policy = BatchedPolicy(policy)
        self._time_step = environment.reset()
        self._state = self._policy.get_initial_state(batch_size)

    @property
    def env_steps(self) -> int:
        """Steps taken so far, in all environments; one that failed took none."""
        return self._env_steps

    @property
    def is_random(self) -> bool:
        """Whether the next steps are the random policy's."""
        return self.env_steps < self._random_steps

    @property
    def episodes(self) -> int:
        """Episodes ended so far."""
        return int(self._episodes.result())

    @property
    def environment_failures(self) -> int:
        """Times that an environment failed and was made anew so far."""
        return int(self._environment.recovery.failures)

    @property
    def average_return(self) -> float | None:
        """Over the last episodes, explored with the collect policy; None before any."""
        return float(self._returns.result()) if self.episodes else None

    @property
    def transitions(self) -> int:
        """Transitions written to the replay table so far."""
        return self._writer.transitions

    @property
    def rounds(self) -> int:
        """Steps of each environment so far, those between episodes too."""
        return self._writer.rounds

    @property
    def waited_s(self) -> float:
        """Seconds spent waiting for the replay table so far, the present wait too."""
        return self._writer.waited_s

    def figures(self) -> dict[str, Any]:
        """For the telemetry, see `reverb_server.figures`; any thread may ask."""
        return {
            "env_steps": self.env_steps,
            "episodes": self.episodes,
            "environment_failures": self.environment_failures,
            "average_return": self.average_return,
            "waited_s": self.waited_s,
        }

    def take_random_steps(self, steps: int) -> None:
        """Makes the next steps the random policy's, so many in all environments."""
        self._random_steps = self.env_steps + steps

    def run(self, max_steps: int) -> int:
        """Steps all environments together, at least once.

        Args:
          max_steps: Steps to take; those of the last round are not cut off.

        Returns:
          The steps taken, in all environments.
        """
        another = self._another_policy()
        if another is not None:
            self._take(BatchedPolicy(another))
        before, was_random = self.env_steps, self.is_random
        if was_random:
            self._writer.policy_train_step = RANDOM_POLICY
            max_steps = min(max_steps, self._random_steps - before)
        else:
            self._writer.policy_train_step = self._weights.train_step
        driver = py_driver.PyDriver(
            self._environment,
            self._random_policy if was_random else self._policy,
            observers=[
                *self._checks,  # Before any frame is thrown away.
                self._writer,
                self._returns,
                self._episodes,
                self._count,
            ],
            max_steps=max_steps,
        )
        # The random policy has no state to be kept.
        state = () if was_random else self._state
        self._time_step, state = driver.run(self._time_step, state)
        if not was_random:
            self._state = state
        return self.env_steps - before

    def _take(self, policy: BatchedPolicy) -> None:
        """Acts with another policy, which goes on with the state of the one before."""
        if policy.policy_state_spec != self._policy.policy_state_spec:
            self._state = policy.get_initial_state(self._environment.batch_size)
        self._policy = policy

    def _count(self, steps: trajectory.Trajectory) -> None:
        """Counts the steps after which an episode went on or ended.

        A first step comes after the last one of an episode, or of an environment that
        failed: no transition leads to it.
        """
        self._env_steps += int(np.sum(steps.next_step_type != StepType.FIRST))


def random_share(initial_steps: int, collected: int, task: int, num_actors: int) -> int:
    """How many random steps are this actor's to take.

    The initial random collection belongs to the run: each of its actors takes an
    equal share, unless all of it is in the replay table already (then this actor was
    restarted, or joined later).

    Args:
      initial_steps: Random steps of the whole run.
      collected: Transitions the run has collected so far.
      task: Number of this actor.
      num_actors: Actors of the run.

    Returns:
      Steps; 0 for actors beyond those of the run.
    """
    if collected >= initial_steps or task >= num_actors:
        return 0
    return math.ceil(initial_steps / num_actors)
