"""Figures of roles that share a process, sent as each of them would send its own."""

from __future__ import annotations

from typing import Any

import reverb

from experiment.interval import Rate
from reverb_server import figures
from reverb_server.resources import Resources
from reverb_server.telemetry import TelemetrySender


class SharedProcess:
    """Tells the server of a run how actor, learner and eval job are doing."""

    def __init__(self, client: reverb.Client, train_step: int) -> None:
        """Args: client of the server; train_step: Of the learner, to begin with."""
        roles = (figures.ACTOR, figures.LEARNER, figures.EVAL_JOB)
        self._senders = {role: TelemetrySender(client, role, task=0) for role in roles}
        self._resources = Resources()
        self._env_steps, self._updates = Rate(), Rate()
        self._updates.update(train_step)

    def send(
        self,
        actor: dict[str, Any],
        learner: dict[str, Any],
        eval_job: dict[str, Any],
    ) -> None:
        """Sends one row of each role, with what all of them take of the machine.

        Args:
          actor: Its figures; the rate is added.
          learner: The same.
          eval_job: Its figures.
        """
        rates = {
            figures.ACTOR: {
                "env_steps_per_s": self._env_steps.update(actor["env_steps"])
            },
            figures.LEARNER: {
                "updates_per_s": self._updates.update(learner["train_step"])
            },
            figures.EVAL_JOB: {},
        }
        rows = dict(zip(self._senders, (actor, learner, eval_job)))
        shared = self._resources.figures()
        for role, sender in self._senders.items():
            sender.send({**rows[role], **rates[role], **shared})
