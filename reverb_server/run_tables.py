"""The run's manifest and its end: rows of two tables, written once."""

from __future__ import annotations

import time
from typing import Any

import reverb
from tf_agents.experimental.distributed import reverb_variable_container
from tf_agents.typing import types

from experiment.errors import ConfigurationError
from experiment.manifest import Manifest
from reverb_server import tables

TARGET_REACHED = "target_reached"
MAX_TRAIN_STEPS = "max_train_steps"

_MANIFEST_TIMEOUT_S = 10.0


def publish_manifest(client: reverb.Client, manifest: Manifest) -> None:
    """Makes the manifest known to all that join."""
    client.insert(manifest.to_json().encode(), {tables.RUN: 1.0})


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
        info = client.server_info(timeout=5)
    sample = next(client.sample(tables.RUN, 1))
    return Manifest.from_json(sample[0].data[0].item().decode())


def announce_end(address: str, status: str, weights: types.NestedTensor) -> None:
    """Says to all processes that the run is over, unless that was said already.

    Args:
      address: Of the server.
      status: Why it ended.
      weights: What the run has come to, as `tables.weights_of` has them.
    """
    info = reverb.Client(address).server_info(timeout=10)
    if info[tables.END].current_size:
        return
    container = reverb_variable_container.ReverbVariableContainer(address, [tables.END])
    container.push(tables.end_of(status, weights), tables.END)


def read_end(address: str) -> tuple[str, types.NestedTensor]:
    """Reads why the run ended, and the weights; blocks unless it has ended."""
    container = reverb_variable_container.ReverbVariableContainer(address, [tables.END])
    row = container.pull(tables.END)
    return row["status"].numpy().decode(), row["weights"]
