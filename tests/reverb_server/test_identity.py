"""reverb_server/run_tables.py: which run a server says it holds."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import reverb
import tensorflow as tf

from experiment.definition import Experiment
from experiment.manifest import Manifest
from reverb_server import tables
from reverb_server.run_tables import Identity
from tests.reverb_server.conftest import Built, Serve

MANIFEST = Manifest.new(
    gin_file="x.gin",
    gin_text="",
    root_dir="/runs/a",
    seed=1,
    num_actors=2,
    resumed=False,
)


def test_a_server_is_told_by_its_run_and_by_its_number() -> None:
    """The next one is another server of the same run."""
    identity = Identity.of(MANIFEST)
    assert identity == (MANIFEST.run_id, 1)
    later = Identity.of(dataclasses.replace(MANIFEST, server_start=12))
    assert later.run_id == identity.run_id
    assert later != identity
    assert str(later) == f"{MANIFEST.run_id}/12"


@pytest.mark.parametrize("identity", [Identity("20260101-ab", 1), Identity("a/b", 37)])
def test_each_answer_of_a_server_tells_it(
    identity: Identity, serve: Serve, cartpole: Built
) -> None:
    """Before the manifest is there, which is read once only."""
    made = tables.make_tables(Experiment(), *cartpole, 1, str(identity))
    info = serve(made).client.server_info(timeout=5)
    assert Identity.read(info) == identity


def signature(name: str | None) -> tf.TensorSpec:
    """Of a table of text."""
    return tf.TensorSpec([], tf.string, name=name)


@pytest.mark.parametrize(
    "run",
    [
        None,
        signature(None),
        signature("mine"),
        signature("/3"),
        signature("run/x"),
        signature("run/"),
        {"run/1": signature("run/1")},
    ],
)
def test_a_server_of_somebody_else_has_none(run: Any, serve: Serve) -> None:
    """Though it may have a table of that name."""
    served = serve([reverb.Table.queue(tables.RUN, 1, signature=run)])
    assert Identity.read(served.client.server_info(timeout=5)) is None


def test_a_server_without_the_table_has_none(serve: Serve) -> None:
    """Any Reverb server may take the port."""
    served = serve([reverb.Table.queue("mine", 1)])
    assert Identity.read(served.client.server_info(timeout=5)) is None
