"""reverb_server/row_writer.py: rows that arrive, also at a server that comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import tensorflow as tf
from tf_agents.experimental.distributed import reverb_variable_container

from experiment.definition import Experiment
from reverb_server import tables
from reverb_server.row_writer import RowWriter
from tests.reverb_server.conftest import Built, Serve
from tests.reverb_server.server_process import TABLE, ServerProcess, server_process
from tests.reverb_server.waiting import wait_until

DEADLINE_S = 20.0


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    """Not started yet."""
    with server_process() as made:
        yield made


def numbered(cartpole: Built, number: int) -> Any:
    """Weights that are all equal."""
    return tf.nest.map_structure(
        lambda variable: tf.cast(tf.fill(variable.shape, number), variable.dtype),
        tables.weights_of(*cartpole),
    )


def test_weights_arrive_as_the_variable_container_reads_them(
    serve: Serve, cartpole: Built
) -> None:
    """Structure, types and values; actors pull by it."""
    served = serve(tables.make_tables(Experiment(), *cartpole, 1, "r/1"))
    writer = RowWriter(served.client, tables.VARIABLES)
    container = reverb_variable_container.ReverbVariableContainer(
        served.address, [tables.VARIABLES]
    )
    for number in (3, 4):
        weights = numbered(cartpole, number)
        writer.write(weights)
        assert writer.flush(DEADLINE_S)
        pulled = container.pull(tables.VARIABLES)
        tf.nest.assert_same_structure(pulled, weights)
        for one, other in zip(tf.nest.flatten(pulled), tf.nest.flatten(weights)):
            assert one.dtype == other.dtype
            tf.debugging.assert_equal(one, other)
    assert served.info(tables.VARIABLES).current_size == 1


def test_variables_are_written_as_they_were(serve: Serve, cartpole: Built) -> None:
    """Those of a learner that goes on training."""
    served = serve(tables.make_tables(Experiment(), *cartpole, 1, "r/1"))
    variables = tf.nest.map_structure(tf.Variable, numbered(cartpole, 7))
    writer = RowWriter(served.client, tables.VARIABLES)
    writer.write(variables)
    for variable in tf.nest.flatten(variables):
        variable.assign(tf.zeros_like(variable))
    assert writer.flush(DEADLINE_S)
    container = reverb_variable_container.ReverbVariableContainer(
        served.address, [tables.VARIABLES]
    )
    row = container.pull(tables.VARIABLES)
    assert int(row[reverb_variable_container.TRAIN_STEP_KEY]) == 7


def test_a_killed_server_is_waited_for_at_no_cost(server: ServerProcess) -> None:
    """And has the row when it is back; Reverb's own `insert` burns a core."""
    server.start()
    writer = RowWriter(server.client, TABLE)
    writer.write(b"1")
    assert writer.flush(DEADLINE_S)
    assert server.rows() == [b"1"]
    server.kill()
    writer.write(b"2")
    begun, used = time.monotonic(), time.process_time()
    assert not writer.flush(3.0)
    assert 2.5 < time.monotonic() - begun < DEADLINE_S
    assert time.process_time() - used < 1.0
    server.start()
    wait_until(lambda: writer.flush(1.0))
    assert server.rows() == [b"2"]
    writer.write(b"3")
    assert writer.flush(DEADLINE_S)
    assert server.rows() == [b"3"]


def test_a_server_that_is_not_up_yet_gets_the_row(server: ServerProcess) -> None:
    """A writer may be made before there is anybody."""
    writer = RowWriter(server.client, TABLE)
    writer.write(b"1")
    assert not writer.flush(0.2)
    assert not writer.flush(0.2)
    server.start()
    wait_until(lambda: writer.flush(1.0))
    assert server.rows() == [b"1"]
