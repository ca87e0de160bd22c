"""reverb_server/port.py: real sockets, and real servers beside them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import portpicker
import pytest
import reverb

from experiment.errors import ConfigurationError
from reverb_server import port as port_lib
from tests.reverb_server.conftest import Serve


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    """Closes the sockets of a test."""
    with contextlib.ExitStack() as stack:
        yield stack


def refused(port: int) -> str:
    """The message with which a port is refused."""
    with pytest.raises(ConfigurationError) as raised:
        port_lib.reserve(port)
    return str(raised.value)


def test_a_free_port_is_taken(closing: contextlib.ExitStack) -> None:
    """The one asked for, or any."""
    wanted = portpicker.pick_unused_port()
    holder, port = port_lib.reserve(wanted)
    closing.enter_context(holder)
    assert port == holder.getsockname()[1] == wanted
    holder, port = port_lib.reserve(None)
    closing.enter_context(holder)
    assert port == holder.getsockname()[1] != wanted


@pytest.mark.parametrize("listening", [False, True])
@pytest.mark.parametrize(
    ("family", "host"),
    [
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0"),
        (socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::"),
    ],
)
def test_a_port_that_another_program_holds_is_refused(
    closing: contextlib.ExitStack,
    family: socket.AddressFamily,
    host: str,
    listening: bool,
) -> None:
    """On whichever interface; the message names the port and the way out."""
    held = closing.enter_context(socket.socket(family))
    held.bind((host, 0))
    if listening:
        held.listen()
    port = held.getsockname()[1]
    message = refused(port)
    assert f"--port {port} is in use" in message
    assert "choose another port" in message


def test_a_port_is_reserved_once(closing: contextlib.ExitStack) -> None:
    """Two launchers that start at the same time do not share one."""
    holder, port = port_lib.reserve(None)
    with holder:
        assert "in use" in refused(port)
    again, _ = port_lib.reserve(port)
    closing.enter_context(again)


def test_a_strangers_bind_fails_beside_the_holder(
    closing: contextlib.ExitStack,
) -> None:
    """Not even one that may reuse addresses comes in between."""
    holder, port = port_lib.reserve(None)
    closing.enter_context(holder)
    stranger = closing.enter_context(socket.socket())
    stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", port))


def test_a_reverb_server_starts_beside_the_holder(
    closing: contextlib.ExitStack,
) -> None:
    """And it gets all the connections, since the holder does not listen."""
    holder, port = port_lib.reserve(None)
    closing.enter_context(holder)
    server = reverb.Server([reverb.Table.queue("x", 1)], port=port)
    closing.callback(server.stop)
    for _ in range(5):
        assert "x" in reverb.Client(f"localhost:{port}").server_info(timeout=10)
    assert "in use" in refused(port)


def test_the_port_of_a_reverb_server_is_refused(serve: Serve) -> None:
    """A second Reverb server would start there, and take half of the data."""
    served = serve([reverb.Table.queue("x", 1)])
    assert "in use" in refused(served.server.port)


def test_the_port_of_a_server_that_has_ended_can_be_taken_at_once(
    serve: Serve, closing: contextlib.ExitStack
) -> None:
    """Its last connections, which the system keeps for a minute, do not count."""
    served = serve([reverb.Table.queue("x", 1)])
    served.client.insert(1.0, {"x": 1.0})
    served.server.stop()
    holder, _ = port_lib.reserve(served.server.port)
    closing.enter_context(holder)


@pytest.mark.parametrize("port", [0, -5, 65536, 99999])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    """Reverb starts there too, and nobody can reach it."""
    assert refused(port) == f"--port is {port}; it must be from 1 to 65535."


def figures_refused(port: int | None, host: str | None) -> str:
    """The message with which an address for the figures is refused."""

    def serve() -> None:
        address = port_lib.metrics_address(port, host)
        assert address
        port_lib.require_free(*address)

    with pytest.raises(ConfigurationError) as raised:
        serve()
    return str(raised.value)


def test_the_figures_are_served_to_this_machine_unless_told_otherwise() -> None:
    """Or not at all. The port is left free."""
    port = portpicker.pick_unused_port()
    assert port_lib.metrics_address(None, None) is None
    for host in (None, "0.0.0.0", "localhost", "::1"):
        for _ in range(2):
            address = port_lib.metrics_address(port, host)
            assert address == (host or "127.0.0.1", port)
            port_lib.require_free(*address)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a..b", ""])
def test_a_host_that_is_not_this_machine_is_refused(host: str) -> None:
    """By the values of both flags, and what the system said."""
    said = figures_refused(9_090, host)
    assert f"--metrics_port 9090 at {host} cannot be served (" in said


def test_a_port_for_the_figures_that_is_taken_is_refused() -> None:
    """Also one on another address, if all were asked for."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for host in ("127.0.0.1", "0.0.0.0"):
            assert "is in use by another process" in figures_refused(port, host)


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_a_number_that_is_no_port_for_the_figures_is_refused(port: int) -> None:
    """Nobody could ask for one that the system chooses."""
    assert f"--metrics_port is {port}" in figures_refused(port, None)


def test_a_host_without_a_port_is_refused() -> None:
    """Whoever says so has meant both."""
    assert "means nothing without --metrics_port" in figures_refused(None, "0.0.0.0")
