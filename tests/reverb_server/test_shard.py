"""reverb_server/shard.py: a further replay server, as others see it."""

from __future__ import annotations

import pytest

from reverb_server import port as port_lib
from reverb_server import shard as shard_lib
from reverb_server.shard import Shard


def test_one_that_was_never_reached_is_told_of_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A firewall may let its port be closed for the whole run."""
    holder, port = port_lib.reserve(None)
    with holder:
        shard = Shard(1, f"localhost:{port}", "run")
        assert shard.is_lost
        assert f"replay shard 1 at localhost:{port} is lost" in caplog.text
        shard_lib.leave([shard])
