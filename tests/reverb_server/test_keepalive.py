"""reverb_server/keepalive.py: a connection whose other end has gone is noticed."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from reverb_server.keepalive import keep_alive


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, int]]:
    """To a port of this process, and that port."""
    with socket.create_server(("localhost", 0)) as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("localhost", port)) as made:
            yield made, port


def is_probed(made: socket.socket) -> bool:
    """Whether the kernel asks the other end if it is still there."""
    return bool(made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))


def test_connections_to_the_servers_are_probed(
    connection: tuple[socket.socket, int],
) -> None:
    """Half a minute without an answer ends them."""
    made, port = connection
    assert not is_probed(made)
    assert keep_alive({port}) == 1
    assert is_probed(made)
    timeout_ms = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert timeout_ms == 30_000


def test_other_connections_are_left_alone(
    connection: tuple[socket.socket, int],
) -> None:
    """Those of a library that the run knows nothing of."""
    made, port = connection
    assert keep_alive({port + 1}) == 0
    assert not is_probed(made)
