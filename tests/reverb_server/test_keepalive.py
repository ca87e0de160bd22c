"""reverb_server/keepalive.py: a connection whose other end has gone is noticed."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from reverb_server.keepalive import keep_alive

Connected = tuple[socket.socket, int]


@pytest.fixture
def connected() -> Iterator[list[Connected]]:
    """Two connections to ports of this process, each with its port."""
    with contextlib.ExitStack() as stack:

        def connect() -> Connected:
            listening = stack.enter_context(socket.create_server(("localhost", 0)))
            address = listening.getsockname()
            return stack.enter_context(socket.create_connection(address)), address[1]

        yield [connect(), connect()]


def is_probed(made: socket.socket) -> bool:
    """Whether the kernel asks the other end if it is still there."""
    return bool(made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))


def test_connections_to_the_servers_are_probed(connected: list[Connected]) -> None:
    """Half a minute without an answer ends them; others are left alone."""
    (made, port), (other, _) = connected
    assert not is_probed(made)
    keep_alive({port})
    assert is_probed(made)
    timeout_ms = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert timeout_ms == 30_000
    assert not is_probed(other)


def test_nothing_else_of_a_socket_is_changed(connected: list[Connected]) -> None:
    """Neither how it waits, nor that it is open: it belongs to somebody else."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(5)
    try:
        keep_alive({port for _, port in connected})
    finally:
        socket.setdefaulttimeout(before)
    for made, _ in connected:
        assert os.get_blocking(made.fileno())
        assert made.getpeername()
