"""A small run for actors to join."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from actor.watchdog import Watchdog
from experiment import definition
from tests.actor.acting import act
from tests.actor.served_run import ServedRun, serve

__all__ = ["act", "serve_cartpole"]

CARTPOLE = """
gym_environment.name = 'CartPole-v1'
q_network.layers = (8,)
Replay.samples_per_insert = None
Replay.min_size_to_sample = 8
Replay.transitions_per_item = 4
Collect.envs_per_actor = 4
Collect.initial_collect_steps = 32
Collect.pull_interval_s = 0.005
"""

ServeCartPole = Callable[..., ServedRun]


def unwatched() -> Watchdog:
    """A watchdog that nobody lets look."""
    return Watchdog(0, 300.0, report=lambda **_: None, fail=lambda _: None)


@pytest.fixture
def serve_cartpole(tmp_path: Path) -> Iterator[ServeCartPole]:
    """Serves runs of the text above; arguments are those of `serve`."""
    with contextlib.ExitStack() as stack:
        number = 0

        def start(**settings: Any) -> ServedRun:
            nonlocal number
            number += 1
            experiment = definition.load_text(settings.get("gin_text", CARTPOLE))
            folder = tmp_path / str(number)
            return stack.enter_context(serve(experiment, folder, **settings))

        yield start
