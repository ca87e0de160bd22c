"""reverb_server/run_tables.py: who a server belongs to, and when its run is over."""

from __future__ import annotations

import threading

import pytest
import reverb
import tensorflow as tf

from experiment import run_status
from experiment.definition import Experiment
from experiment.errors import ConfigurationError
from experiment.manifest import Manifest
from reverb_server import run_tables, tables
from tests.reverb_server.conftest import Built, Serve, Served

MANIFEST = Manifest.new(
    gin_file="x.gin",
    gin_text="# 'quotes', \"quotes\" and é\nReplay.batch_size = 64\n" * 200,
    root_dir="/runs/a b",
    seed=1,
    num_actors=2,
    resumed=False,
)


@pytest.fixture
def served(serve: Serve, cartpole: Built) -> Served:
    """A server with all tables of a run."""
    return serve(tables.make_tables(Experiment(), *cartpole, 1, "r/1"))


def read(served: Served) -> Manifest:
    """The manifest, as a client that has just connected reads it."""
    info = served.client.server_info(timeout=5)
    return run_tables.read_manifest(served.client, served.address, info)


def test_every_client_reads_the_manifest(served: Served) -> None:
    """As often as it likes."""
    run_tables.publish_manifest(served.client, MANIFEST)
    assert read(served) == MANIFEST
    assert read(served) == MANIFEST


def test_a_manifest_that_is_about_to_come_is_waited_for(served: Served) -> None:
    """The server answers a little earlier than it knows its run."""
    found: list[Manifest] = []
    reader = threading.Thread(target=lambda: found.append(read(served)), daemon=True)
    reader.start()
    assert reader.is_alive()
    run_tables.publish_manifest(served.client, MANIFEST)
    reader.join(timeout=20)
    assert found == [MANIFEST]


def test_a_manifest_that_does_not_come_is_not_waited_for_for_ever(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is named."""
    monkeypatch.setattr(run_tables, "_MANIFEST_TIMEOUT_S", 0.2)
    with pytest.raises(TimeoutError, match=f"{served.address} has published no"):
        read(served)


def test_a_server_that_is_none_of_ours_is_refused(serve: Serve) -> None:
    """With the tables it has, and those it lacks."""
    served = serve([reverb.Table.queue(name, 1) for name in ("mine", tables.RUN)])
    with pytest.raises(ConfigurationError) as raised:
        read(served)
    message = str(raised.value)
    assert served.address in message
    assert "has the tables ['mine', 'run']" in message
    assert "not ['end', 'replay', 'variables']" in message


def test_the_end_is_read_with_its_reason_and_weights(
    served: Served, cartpole: Built
) -> None:
    """The weights are those that were announced, exactly."""
    assert served.info(tables.END).current_size == 0
    weights = tf.nest.map_structure(
        lambda variable: tf.cast(tf.fill(variable.shape, 7), variable.dtype),
        tables.weights_of(*cartpole),
    )
    run_tables.announce_end(served.address, run_status.TARGET_REACHED, weights)
    assert served.info(tables.END).current_size == 1
    status, found = run_tables.read_end(served.address)
    assert status == run_status.TARGET_REACHED
    tf.nest.assert_same_structure(found, weights)
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(weights)):
        assert one.dtype == other.dtype
        tf.debugging.assert_equal(one, other)


def test_variables_are_announced_as_what_they_are(
    served: Served, cartpole: Built
) -> None:
    """The learner hands over its own."""
    weights = tables.weights_of(*cartpole)
    run_tables.announce_end(served.address, run_status.MAX_TRAIN_STEPS, weights)
    status, found = run_tables.read_end(served.address)
    assert status == run_status.MAX_TRAIN_STEPS
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(weights)):
        tf.debugging.assert_equal(one, other)


def test_the_run_ends_once(served: Served, cartpole: Built) -> None:
    """Who comes second does not change what the others have heard."""
    weights = tables.weights_of(*cartpole)
    later = tf.nest.map_structure(lambda variable: variable + 1, weights)
    run_tables.announce_end(served.address, run_status.TARGET_REACHED, weights)
    run_tables.announce_end(served.address, run_status.MAX_TRAIN_STEPS, later)
    status, found = run_tables.read_end(served.address)
    assert status == run_status.TARGET_REACHED
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(weights)):
        tf.debugging.assert_equal(one, other)
