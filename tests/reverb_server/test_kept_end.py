"""reverb_server/kept_end.py: a run that has ended does not go on with a new server."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from experiment import run_dir, run_status
from reverb_server import run_tables, tables
from reverb_server.kept_end import KeptEnd
from reverb_server.server import RunServer
from tests.reverb_server import server_life
from tests.reverb_server.conftest import Built
from tests.reverb_server.run_for_tests import manifest
from tests.reverb_server.server_life import Start, serve_once

start = server_life.start


@pytest.fixture
def weights(cartpole: Built) -> list[tf.Tensor]:
    """All seven."""
    return [
        tf.cast(tf.fill(variable.shape, 7), variable.dtype)
        for variable in tf.nest.flatten(tables.weights_of(*cartpole))
    ]


@pytest.fixture
def ended(start: Start, tmp_path: Path, weights: list[tf.Tensor]) -> RunServer:
    """A server that holds the end of its run, and has not looked yet."""
    run = start(manifest(tmp_path))
    run_tables.announce_end(run.address, run_status.TARGET_REACHED, weights)
    return run


@pytest.fixture
def next_server(start: Start, tmp_path: Path) -> RunServer:
    """One that knows of no end."""
    (tmp_path / "next").mkdir()
    return start(manifest(tmp_path / "next"))


def has_ended(run: RunServer) -> bool:
    """Whether all who ask are told of an end."""
    return bool(run.client.server_info(5)[tables.END].current_size)


def look(run: RunServer, end: KeptEnd) -> list[str]:
    """The statuses of the rows that it has for the figures."""
    return [row["status"] for row in end.look(run.client.server_info(5))]


def test_a_server_that_dies_after_the_end_says_it_again(
    ended: RunServer, next_server: RunServer, tmp_path: Path, weights: list[tf.Tensor]
) -> None:
    """Nobody else may be left to: with the same status and the same weights."""
    assert look(ended, KeptEnd(ended.address, tmp_path, is_restart=False)) == [
        run_status.TARGET_REACHED
    ]
    KeptEnd(next_server.address, tmp_path, is_restart=True)
    status, found = run_tables.read_end(next_server.address)
    assert status == run_status.TARGET_REACHED
    for one, other in zip(tf.nest.flatten(found), weights):
        tf.debugging.assert_equal(one, other)


def test_a_run_that_is_resumed_goes_on(
    ended: RunServer, next_server: RunServer, tmp_path: Path
) -> None:
    """Also if the server has died after the end of its last part."""
    look(ended, KeptEnd(ended.address, tmp_path, is_restart=False))
    KeptEnd(next_server.address, tmp_path, is_restart=False)
    KeptEnd(next_server.address, tmp_path, is_restart=True)
    assert not has_ended(next_server)


def test_the_end_is_told_once(ended: RunServer, tmp_path: Path) -> None:
    """To those who read the figures of the run."""
    end = KeptEnd(ended.address, tmp_path, is_restart=False)
    assert len(look(ended, end)) == 1
    assert look(ended, end) == []


def test_nothing_is_left_of_it_when_the_server_stops(
    ended: RunServer, tmp_path: Path
) -> None:
    """All have been told by then."""
    serve_once(ended)
    assert (tmp_path / run_dir.END).exists()
    ended.stop()
    assert not (tmp_path / run_dir.END).exists()


def test_it_is_left_when_the_server_is_told_to_stop_before_all_have_gone(
    ended: RunServer, next_server: RunServer, tmp_path: Path
) -> None:
    """By whoever started it by hand, or a cluster that wants its node."""
    serve_once(ended)
    ended.stop(keeps_end=True)
    KeptEnd(next_server.address, tmp_path, is_restart=True)
    assert has_ended(next_server)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"words"])
def test_what_is_damaged_is_not_taken_for_an_end(
    next_server: RunServer, tmp_path: Path, content: bytes
) -> None:
    """The server serves nevertheless."""
    (tmp_path / run_dir.END).write_bytes(content)
    KeptEnd(next_server.address, tmp_path, is_restart=True)
    assert not has_ended(next_server)


def test_a_full_disk_does_not_hide_the_end(ended: RunServer, tmp_path: Path) -> None:
    """It can only not be told again: here, a folder is in the way of the file."""
    (tmp_path / f".{run_dir.END}").mkdir()
    end = KeptEnd(ended.address, tmp_path, is_restart=False)
    assert look(ended, end) == [run_status.TARGET_REACHED]
