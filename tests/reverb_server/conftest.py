"""Real Reverb servers in the process of the tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Callable, NamedTuple

import portpicker
import pytest
import reverb
import tensorflow as tf
from tf_agents.agents import tf_agent

from experiment import environments
from experiment.definition import Experiment
from reverb_server import address as address_lib


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

        def start(tables: Sequence[reverb.Table]) -> Served:
            port = portpicker.pick_unused_port()
            server = reverb.Server(tables, port=port)
            stack.callback(server.stop)
            address = f"localhost:{port}"
            client, _ = address_lib.connect(address, lambda: False, timeout_s=20)
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
