"""The loop of an actor."""

from __future__ import annotations

from typing import Any, Callable

from actor.collector import Collector
from experiment.interval import Rate
from reverb_server.weights import WeightsPuller

# Steps of each environment between two looks at the clock and for newer weights.
ROUNDS_PER_RUN = 4


def collect(
    collector: Collector,
    weights: WeightsPuller,
    envs: int,
    missing_random_steps: Callable[[], int],
    is_running: Callable[[], bool],
    report_from: Callable[[Callable[[], dict[str, Any]]], None],
) -> int:
    """Collects until the run ends.

    Args:
      collector: Steps the environments.
      weights: Looked at between two runs of the collector.
      envs: Environments of the collector.
      missing_random_steps: What the run still lacks of its initial random steps.
      is_running: Whether to go on.
      report_from: Takes what counts the figures for the telemetry, in any thread.

    Returns:
      Environment steps taken.
    """
    rate = Rate()

    def figures() -> dict[str, Any]:
        return {
            "env_steps_per_s": rate.update(collector.env_steps),
            "policy_train_step": weights.train_step,
            **collector.figures(),
        }

    _run_random(collector, envs, is_running)
    if is_running():
        weights.wait_for_first(is_running)
        # Those of actors that are late, or few that wait in writers for a full item.
        collector.take_random_steps(missing_random_steps())
        _run_random(collector, envs, is_running)
    report_from(figures)
    while is_running():
        collector.run(ROUNDS_PER_RUN * envs)
        weights.take()
    return collector.env_steps


def _run_random(
    collector: Collector, envs: int, is_running: Callable[[], bool]
) -> None:
    while collector.is_random and is_running():
        collector.run(ROUNDS_PER_RUN * envs)
