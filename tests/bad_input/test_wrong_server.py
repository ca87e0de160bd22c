"""Roles that are led to a server which is not that of their run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import reverb
import tensorflow as tf

from experiment import definition
from reverb_server import run_tables, tables
from tests.bad_input.conftest import Refuse
from tests.reverb_server.conftest import Built, Serve
from tests.reverb_server.run_for_tests import GIN_TEXT, manifest

RUN_ID = "20261122-120000-abcdef12"

JOINING = ("actor", "learner", "eval_job")


def a_run(replaced: reverb.Table, built: Built) -> list[reverb.Table]:
    """The tables of a run, one of them replaced."""
    experiment = definition.load_text(GIN_TEXT)
    made = tables.make_tables(experiment, *built, 1, f"{RUN_ID}/1")
    return [replaced if table.name == replaced.name else table for table in made]


def publish(address: str, folder: str) -> None:
    """The manifest of a run as `GIN_TEXT` has it."""
    about = dataclasses.replace(manifest(Path(folder)), run_id=RUN_ID)
    run_tables.publish_manifest(reverb.Client(address), about)


@pytest.mark.parametrize("role", JOINING)
def test_a_server_without_our_tables(role: str, refuse: Refuse, serve: Serve) -> None:
    served = serve([reverb.Table.queue("uniform_table", 1)])
    message = refuse(role, f"--server_address={served.address}")
    assert (
        "has the tables ['uniform_table'], but not ['end', 'replay', 'run'" in message
    )
    assert "start it by `python -m reverb_server`" in message


@pytest.mark.parametrize("role", JOINING)
@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"max_size": 1}, id="no signature"),
        pytest.param({"max_size": 2, "signature": tf.TensorSpec([])}, id="two rows"),
    ],
)
def test_a_table_of_weights_of_another_kind(
    role: str,
    variables: dict[str, object],
    refuse: Refuse,
    serve: Serve,
    cartpole: Built,
) -> None:
    table = reverb.Table.queue("variables", **variables)
    served = serve(a_run(table, cartpole))
    message = refuse(role, f"--server_address={served.address}")
    assert "has the tables ['variables'], but not for one row" in message


@pytest.mark.parametrize("role", ["actor", "learner"])
def test_experience_of_other_columns_and_the_same_size(
    role: str, refuse: Refuse, serve: Serve, cartpole: Built, tmp_path: object
) -> None:
    [replay] = [
        table
        for table in a_run(reverb.Table.queue("x", 1), cartpole)
        if table.name == "replay"
    ]
    [spec] = tf.nest.flatten(replay.info.signature)
    name = spec.name.replace("observation:float32", "observation:int32")
    other = {"steps": tf.TensorSpec(spec.shape, spec.dtype, name)}
    table = reverb.Table.queue("replay", 8, signature=other)
    served = serve(a_run(table, cartpole))
    publish(served.address, str(tmp_path))
    message = refuse(role, f"--server_address={served.address}")
    assert message.startswith("the replay table holds TensorSpec(")
    assert "there trajectory/observation:int32(4,)" in message
    assert "here trajectory/observation:float32(4,)" in message


@pytest.mark.parametrize("role", JOINING)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param("shape", id="another shape"),
        pytest.param("nest", id="a dictionary instead of a list"),
    ],
)
def test_weights_of_another_agent(
    role: str,
    change: str,
    refuse: Refuse,
    serve: Serve,
    cartpole: Built,
    tmp_path: object,
) -> None:
    specs = tables.specs_of(tables.weights_of(*cartpole))
    [policy] = [key for key in specs if isinstance(specs[key], list)]
    if change == "shape":
        specs[policy][0] = tf.TensorSpec([4, 7], tf.float32)
    else:
        specs[policy] = {f"{n}": spec for n, spec in enumerate(specs[policy])}
    table = reverb.Table.queue("variables", 1, signature=specs)
    served = serve(a_run(table, cartpole))
    publish(served.address, str(tmp_path))
    message = refuse(role, f"--server_address={served.address}")
    assert message.startswith("the server's table 'variables' holds other weights")
    if change == "shape":
        assert "0:float32(4,7)" in message
        assert "0:float32(4,100)" in message
    else:
        assert "nested as" in message
