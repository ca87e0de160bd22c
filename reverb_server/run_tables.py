"""The run's identity, its manifest and its end: what tables of one row say of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import reverb
import tensorflow as tf
from tf_agents.experimental.distributed import reverb_variable_container
from tf_agents.typing import types

from experiment import process
from experiment.errors import ConfigurationError
from experiment.manifest import Manifest
from reverb_server import address as address_lib
from reverb_server import tables
from reverb_server.row_writer import RowWriter

_MANIFEST_TIMEOUT_S = 10.0
_PUBLISH_TIMEOUT_S = 10.0
_END_TIMEOUT_S = 10.0


class Identity(NamedTuple):
    """Which run a server holds, and which of the run's servers it is.

    It is the name in the `run` table's signature, so that each `server_info` tells it:
    a server that came back is known for another one by the first look at it.

    Attributes:
      run_id: Of the run.
      server_start: How many servers the run has had, this one included.
    """

    run_id: str
    server_start: int

    @classmethod
    def of(cls, manifest: Manifest) -> Identity:
        """Of the server that publishes this manifest."""
        return cls(manifest.run_id, manifest.server_start)

    @classmethod
    def read(cls, info: Mapping[str, Any]) -> Identity | None:
        """From what `server_info` said; None if it is no server of ours."""
        signature = info[tables.RUN].signature if tables.RUN in info else None
        name = signature.name if isinstance(signature, tf.TensorSpec) else None
        run_id, _, start = (name or "").rpartition("/")
        return cls(run_id, int(start)) if run_id and start.isdecimal() else None

    def __str__(self) -> str:
        """As the name of a signature."""
        return f"{self.run_id}/{self.server_start}"


def publish_manifest(client: reverb.Client, manifest: Manifest) -> None:
    """Makes the manifest known to all that join."""
    client.insert(manifest.to_json().encode(), {tables.RUN: 1.0})


def manifests(info: Mapping[str, Any]) -> int:
    """How many manifests a server has published; more than one if the run was scaled.

    Args:
      info: What `server_info` said.
    """
    return int(info[tables.RUN].rate_limiter_info.insert_stats.completed)


def read_manifest(
    client: reverb.Client, address: str, info: dict[str, Any]
) -> Manifest:
    """Reads the manifest of the run that a server holds.

    Args:
      client: Connected to the server.
      address: For the message.
      info: What `server_info` said.

    Returns:
      The manifest.

    Raises:
      ConfigurationError: It is a Reverb server, but not one of ours.
      TimeoutError: It did not publish a manifest.
    """
    missing = {tables.RUN, tables.REPLAY, tables.VARIABLES, tables.END} - set(info)
    if missing:
        raise ConfigurationError(
            f"the Reverb server at {address} has the tables {sorted(info)}, but not "
            f"{sorted(missing)}; start it by `python -m reverb_server`, or correct "
            "--server_address."
        )
    odd = [
        name
        for name in (tables.RUN, tables.VARIABLES, tables.END)
        if info[name].max_size != 1 or info[name].signature is None
    ]
    if odd:
        raise ConfigurationError(
            f"the Reverb server at {address} has the tables {odd}, but not for one row "
            "with a signature; start it by `python -m reverb_server`, or correct "
            "--server_address."
        )
    deadline = time.monotonic() + _MANIFEST_TIMEOUT_S
    while not info[tables.RUN].current_size:  # The server has just come up.
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"the server at {address} has published no manifest within "
                f"{_MANIFEST_TIMEOUT_S:.0f} s; see its log."
            )
        time.sleep(0.05)
        info = address_lib.ask(client, _MANIFEST_TIMEOUT_S)
    sample = process.call(
        "the run's manifest",
        lambda: next(client.sample(tables.RUN, 1)),
        _MANIFEST_TIMEOUT_S,
    )
    return Manifest.from_json(sample[0].data[0].item().decode())


def announce_end(address: str, status: str, weights: types.NestedTensor) -> None:
    """Says to all processes that the run is over, unless that was said already.

    Args:
      address: Of the server.
      status: Why it ended.
      weights: What the run has come to, as `tables.weights_of` has them.

    Raises:
      TimeoutError: The server did not take it.
    """
    client = reverb.Client(address)
    if address_lib.ask(client, _END_TIMEOUT_S)[tables.END].current_size:
        return
    writer = RowWriter(client, tables.END)
    writer.write(tables.end_of(status.encode(), weights))
    if not writer.flush(_PUBLISH_TIMEOUT_S):
        raise TimeoutError(
            f"the server did not take the end of the run in {_PUBLISH_TIMEOUT_S:.0f} s"
        )


def read_end(address: str) -> tuple[str, types.NestedTensor]:
    """Reads why the run ended, and the weights.

    Raises:
      TimeoutError: It has not ended, or the server is gone.
    """

    def pull() -> Any:
        container = reverb_variable_container.ReverbVariableContainer(
            address, [tables.END]
        )
        try:
            return container.pull(tables.END)
        except tf.errors.OpError as error:
            raise TimeoutError("the server went while the end was read") from error

    row = process.call("the end of the run", pull, _END_TIMEOUT_S)
    return row["status"].numpy().decode(), row["weights"]
