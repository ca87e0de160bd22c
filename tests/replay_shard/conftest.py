"""Runs with several replay servers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replay_shard.sharded_run import ShardedRun
from tests.reverb_server.conftest import cartpole

__all__ = ["cartpole"]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[ShardedRun]:
    """There, without the second server."""
    with contextlib.ExitStack() as stack:
        run = ShardedRun(tmp_path, stack)
        yield run
        run.close()
        watching = [each for each in threading.enumerate() if "shard" in each.name]
        assert watching == []  # At the end of the process they would be in Reverb.
