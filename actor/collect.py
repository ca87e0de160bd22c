"""The loop of an actor."""

from __future__ import annotations

from typing import Any, Callable

from actor.collector import Collector
from actor.next_weights import NextWeights
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

    An on-policy agent's actor waits for other weights when it has given what a batch
    needs of it; all others take new weights where they find some.

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
            "waited_s": collector.waited_s + next_weights.waited_s,
        }

    _run_random(collector, envs, is_running)
    if is_running():
        weights.wait_for_first(is_running)
        # Those of actors that are late, or few that wait in writers for a full item.
        collector.take_random_steps(missing_random_steps())
        _run_random(collector, envs, is_running)
    next_weights = NextWeights(weights)
    report_from(figures)
    while is_running():
        if collector.rounds_per_version is None:
            collector.run(ROUNDS_PER_RUN * envs)
            weights.take()
        else:
            _run_rounds(collector, collector.rounds_per_version(), is_running)
            next_weights.take(is_running)
    return collector.env_steps


def _run_rounds(
    collector: Collector, rounds: int, is_running: Callable[[], bool]
) -> None:
    """Steps each environment so often, or a little more.

    A driver counts no steps between episodes, so it is given one round at a time.
    """
    end = collector.rounds + rounds
    while collector.rounds < end and is_running():
        collector.run(max_steps=1)


def _run_random(
    collector: Collector, envs: int, is_running: Callable[[], bool]
) -> None:
    while collector.is_random and is_running():
        collector.run(ROUNDS_PER_RUN * envs)
