"""An actor's part in what all actors do together: it follows from their number."""

from __future__ import annotations

import logging
from typing import Callable

from tf_agents.agents import tf_agent
from tf_agents.policies import tf_policy

from experiment.definition import Experiment
from reverb_server import on_policy


class Exploration:
    """Makes the collect policy of an actor, anew when the run has been scaled."""

    def __init__(
        self,
        experiment: Experiment,
        agent: tf_agent.TFAgent,
        task: int,
        num_actors: Callable[[], int],
    ) -> None:
        """Makes nothing yet.

        Args:
          experiment: What is learned.
          agent: Whose policies they are.
          task: Number of this actor.
          num_actors: Says how many actors the run has now.
        """
        self._experiment = experiment
        self._agent = agent
        self._task = task
        self._num_actors = num_actors
        self._made_for = 0

    def policy(self) -> tf_policy.TFPolicy:
        """For the actors that there are now."""
        self._made_for = self._num_actors()
        return self._experiment.collect_policy(self._agent, self._task, self._made_for)

    def another_policy(self) -> tf_policy.TFPolicy | None:
        """The same, if their number has changed since the last one; else None."""
        if self._num_actors() == self._made_for:
            return None
        policy = self.policy()
        logging.info("explores as actor %d of %d now", self._task, self._made_for)
        return policy

    def rounds_per_version(self) -> int:
        """What an on-policy agent needs, see `on_policy.rounds_per_version`."""
        return on_policy.rounds_per_version(
            self._experiment.replay, self._experiment.collect, self._num_actors()
        )
