"""The loop of an actor."""

from __future__ import annotations

from typing import Callable

from actor.collector import Collector
from experiment.interval import Interval, Rate
from reverb_server.weights import WeightsPuller

# Steps of each environment between two looks at the clock and for newer weights.
ROUNDS_PER_RUN = 4

_REPORT_S = 1.0


def collect(
    collector: Collector,
    weights: WeightsPuller,
    envs: int,
    is_running: Callable[[], bool],
    report: Callable[..., None],
) -> int:
    """Collects until the run ends.

    Args:
      collector: Steps the environments.
      weights: Looked at between two runs of the collector.
      envs: Environments of the collector.
      is_running: Whether to go on.
      report: Takes figures for the telemetry.

    Returns:
      Environment steps taken.
    """
    clock, rate = Interval(_REPORT_S), Rate()
    while is_running() and collector.is_random:
        collector.run(ROUNDS_PER_RUN * envs)
    if is_running():
        weights.wait_for_first(is_running)
    while is_running():
        collector.run(ROUNDS_PER_RUN * envs)
        weights.take()
        if clock.due():
            report(
                env_steps=collector.env_steps,
                env_steps_per_s=rate.update(collector.env_steps),
                episodes=collector.episodes,
                average_return=collector.average_return,
                policy_train_step=weights.train_step,
                waited_s=collector.waited_s,
            )
    return collector.env_steps
