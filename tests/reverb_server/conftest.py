"""Real Reverb servers in the process of the tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Callable, NamedTuple

import portpicker
import pytest
import reverb
import tensorflow as tf
from reverb.rate_limiters import MinSize, RateLimiter, SampleToInsertRatio
from tf_agents.agents import tf_agent

from experiment import environments
from experiment.definition import Experiment
from reverb_server import address as address_lib
from reverb_server import tables
from tests.reverb_server.standing_run import StandingRun


class Served(NamedTuple):
    """A server that runs until the end of the test, and a client of it."""

    address: str
    client: reverb.Client
    server: reverb.Server

    def info(self, table: str) -> Any:
        """What the server says of a table."""
        return self.client.server_info(timeout=5)[table]


Serve = Callable[[Sequence[reverb.Table]], Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server with these tables."""
    with contextlib.ExitStack() as stack:

        def start(served: Sequence[reverb.Table]) -> Served:
            port = portpicker.pick_unused_port()
            server = reverb.Server(served, port=port)
            stack.callback(server.stop)
            address = f"localhost:{port}"
            client, _ = address_lib.connect(address, lambda: False)
            return Served(address, client, server)

        yield start


class Built(NamedTuple):
    """An agent for CartPole, and its train step; nobody trains it."""

    agent: tf_agent.TFAgent
    train_step: tf.Variable


@pytest.fixture(scope="session")
def cartpole() -> Built:
    """By the defaults of the code."""
    environment = environments.gym_environment("CartPole-v1")
    return Built(*Experiment().make_agent(environment))


Start = Callable[..., StandingRun]


@pytest.fixture
def start(serve: Serve) -> Start:
    """Serves the tables of a run; by default 2 samples per insert, 2 items first."""

    def table(name: str, limiter: RateLimiter) -> reverb.Table:
        return reverb.Table(
            name,
            sampler=reverb.selectors.Fifo(),
            remover=reverb.selectors.Fifo(),
            max_size=1_000,
            rate_limiter=limiter,
            signature=tf.TensorSpec([], tf.int64),
        )

    def run(
        limiter: RateLimiter | None = None, has_weights: bool = True
    ) -> StandingRun:
        others = [table(name, MinSize(1)) for name in (tables.VARIABLES, tables.END)]
        kept = limiter or SampleToInsertRatio(2.0, 2, 4.0)
        return StandingRun(
            serve([table(tables.REPLAY, kept), *others]).client, has_weights
        )

    return run
