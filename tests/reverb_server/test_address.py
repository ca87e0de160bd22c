"""reverb_server/address.py: who is called, and what if nobody answers."""

from __future__ import annotations

import socket

import portpicker
import pytest
import reverb

from experiment.errors import ConfigurationError
from reverb_server import address as address_lib
from tests.reverb_server.conftest import Serve


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's machine has set does not matter, and is put back."""
    for name in ("grpc_proxy", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.delenv("no_grpc_proxy", raising=False)


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("localhost:8008", "localhost", 8008),
        ("127.0.0.1:1", "127.0.0.1", 1),
        ("[::1]:65535", "[::1]", 65535),
    ],
)
def test_host_and_port_are_told_apart(address: str, host: str, port: int) -> None:
    """Names and numbers, of both Internet protocols."""
    assert address_lib.parse_address(address) == (host, port)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost",
        ":8008",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:-1",
        "localhost:http",
        "localhost:80 ",
        "::1:80",
        "http://localhost:80",
        "localhost:8.0",
        "localhost:²",
    ],
)
def test_what_is_not_host_and_port_is_refused(address: str) -> None:
    """Reverb would wait for ever; the message says what was got, and the form."""
    with pytest.raises(ConfigurationError, match="must be host:port") as raised:
        address_lib.parse_address(address)
    assert f"--server_address is {address!r}" in str(raised.value)


@pytest.mark.parametrize("address", ["no-such-host.invalid:80", "a..b:80"])
def test_a_host_that_is_unknown_is_refused(address: str) -> None:
    """Reverb would wait for it for ever."""
    with pytest.raises(ConfigurationError, match="cannot be resolved") as raised:
        address_lib.parse_address(address)
    assert f"--server_address is {address!r}" in str(raised.value)


def test_a_server_that_answers_is_connected_to(serve: Serve) -> None:
    """The client works, and what the server said of its tables is handed over."""
    served = serve([reverb.Table.queue("x", 1)])
    client, info = address_lib.connect(served.address, lambda: False)
    assert info["x"].max_size == 1
    client.insert(1.0, {"x": 1.0})
    assert served.info("x").current_size == 1


def test_a_server_that_is_not_up_yet_is_waited_for() -> None:
    """And found at once; gRPC by itself would wait for seconds between its tries."""
    port = portpicker.pick_unused_port()
    started: list[reverb.Server] = []
    looks: list[None] = []

    def should_stop() -> bool:
        looks.append(None)
        if len(looks) == 20:
            table = reverb.Table.queue("x", 1)
            started.append(reverb.Server([table], port=port))
        return False

    _, info = address_lib.connect(f"localhost:{port}", should_stop, timeout_s=30)
    assert "x" in info
    assert len(looks) == 20
    started[0].stop()


def test_nobody_answering_is_told_in_time() -> None:
    """With the address and what to do."""
    address = f"localhost:{portpicker.pick_unused_port()}"
    with pytest.raises(ConfigurationError) as raised:
        address_lib.connect(address, lambda: False, timeout_s=0.1)
    assert f"no Reverb server answered at {address}" in str(raised.value)
    assert "--server_address" in str(raised.value)


def test_another_program_at_the_address_is_no_answer() -> None:
    """It takes the connection, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match=f"answered at {address}"):
            address_lib.connect(address, lambda: False, timeout_s=0.1)


def test_the_wait_ends_when_the_process_is_told_to_stop() -> None:
    """Not with the time-out."""
    address = f"localhost:{portpicker.pick_unused_port()}"
    stop = iter([False, True])
    with pytest.raises(ConnectionAbortedError, match=address):
        address_lib.connect(address, lambda: next(stop), timeout_s=3600)


@pytest.mark.parametrize("exceptions", ["no_proxy", "no_grpc_proxy"])
def test_a_proxy_is_passed_by(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, exceptions: str
) -> None:
    """Else gRPC asks it to connect to 127.0.0.1; this one never answers."""
    served = serve([reverb.Table.queue("x", 1)])
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        port = proxy.getsockname()[1]
        monkeypatch.delenv("no_proxy")
        monkeypatch.setenv(exceptions, "example.org")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        # A name that no other client of this process has connected to.
        address = f"[::ffff:127.0.0.1]:{served.server.port}"
        _, info = address_lib.connect(address, lambda: False, timeout_s=0.1)
    assert "x" in info


def test_a_proxy_is_named_if_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the reason."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    address = f"localhost:{portpicker.pick_unused_port()}"
    with pytest.raises(ConfigurationError, match="mind that https_proxy is set"):
        address_lib.connect(address, lambda: False, timeout_s=0.1)
