"""The server's part in scaling: it says whether a run can have so many actors."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from pathlib import Path
from typing import Callable

from experiment.agents import OnPolicyAgent
from experiment.definition import Experiment
from experiment.errors import ConfigurationError, check_number
from reverb_server import on_policy, rate_limiter, sharding
from reverb_server.scale_request import ScaleRequest


def check(experiment: Experiment, num_actors: int, servers: int = 1) -> None:
    """Refuses a number of actors that the run could not go on with, or be resumed.

    The limiter of a running table stays as it is: its tolerance is that of the actors
    the server was started with. So more of them wait for each other more often, but
    never for ever: it always lets one side move (docs/design.md, "The rate limiter").

    Args:
      experiment: What is learned; its agent is built for it, which takes a moment.
      num_actors: Wanted.
      servers: Those that the replay is spread over.

    Raises:
      ConfigurationError: The collect policy, the rate limiter of the next server, or
        the batches of an on-policy agent do not fit them.
    """
    check_number("--num_actors", num_actors, at_least=1, integer=True)
    with contextlib.closing(experiment.environment()) as environment:
        agent, _ = experiment.make_agent(environment)
    experiment.collect_policy(agent, 0, num_actors)
    sharding.check(experiment, agent, num_actors, servers)
    if isinstance(agent, OnPolicyAgent):
        on_policy.require_no_surplus(experiment.replay, experiment.collect, num_actors)
    else:
        rate_limiter.rate_limiter(
            experiment.replay, experiment.collect, experiment.train, num_actors
        )


class Scaling:
    """Answers what `launch.scale` asks for."""

    def __init__(
        self,
        root_dir: Path,
        check: Callable[[int], None],
        scale: Callable[[int], None],
        is_restart: bool,
    ) -> None:
        """Forgets what was asked of an earlier run of this folder.

        Args:
          root_dir: Folder of the run.
          check: Raises `ConfigurationError` for a number that will not do.
          scale: Tells the run of its new number of actors.
          is_restart: Whether the server before has died just now.
        """
        self._root_dir = root_dir
        self._check = check
        self._scale = scale
        if not is_restart:
            ScaleRequest.forget(root_dir)

    def look(self) -> None:
        """Takes up or refuses what is asked, if anything is."""
        request = ScaleRequest.read(self._root_dir)
        if request is None or request.is_answered:
            return
        try:
            self._check(request.num_actors)
            if ScaleRequest.read(self._root_dir) != request:
                return  # Checking takes seconds: who asked has given up meanwhile.
            self._scale(request.num_actors)
            answer = dataclasses.replace(request, is_taken=True)
        except ConfigurationError as error:
            answer = dataclasses.replace(request, refusal=str(error))
            logging.warning("scaling refused: %s", error)
        try:
            answer.write(self._root_dir)
        except OSError:  # The next look tries again.
            logging.exception("the answer to launch.scale could not be written")
