"""launch/tls: a real Reverb server behind real tunnels, whom they let in."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import portpicker
import pytest

from tests.faults.running import UNHURRIED, Running
from tests.namespaces import may_unshare
from tests.system.commands import CHECKOUT, TIMEOUT_S, Command

pytestmark = pytest.mark.skipif(
    shutil.which("stunnel") is None,
    reason="stunnel is not installed; Debian has it in the package stunnel4",
)

_TLS = CHECKOUT / "launch" / "tls"
_RUN_MODULE = str(CHECKOUT / "launch" / "run_module.py")

# Every process is number 1 in such a namespace.
_IN_PIDS_OF_ITS_OWN = ["--pid", "--fork", "--mount-proc", "--kill-child"]
_NUMBERED = may_unshare(*_IN_PIDS_OF_ITS_OWN)

# How a client of HTTP/2 begins; a server answers with its settings.
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


def certificates(folder: Path) -> Path:
    """A new authority and its certificates."""
    subprocess.run([_TLS / "certificates.sh", folder], check=True, timeout=60)
    return folder


class Tunnel:
    """A stunnel with one of our configurations, at ports of its own.

    Attributes:
      port: Where it takes connections.
    """

    def __init__(self, config: str, folder: Path, changes: dict[str, str]) -> None:
        self.port = portpicker.pick_unused_port()
        text = (_TLS / config).read_text()
        for old, new in changes.items():
            assert f"\n{old}\n" in text
            text = text.replace(f"\n{old}\n", f"\n{new.format(port=self.port)}\n")
        path = folder / f"{self.port}.conf"
        path.write_text(text)
        self.command = Command(["stunnel", str(path)], folder)
        try:
            self.command.wait_until(
                lambda: "Configuration successful" in self.command.output, TIMEOUT_S
            )
        except BaseException:
            self.command.kill()
            raise


def server_tunnel(folder: Path, to: int) -> Tunnel:
    """In front of a Reverb server."""
    changes = {
        "accept = 8009": "accept = 127.0.0.1:{port}",
        "connect = 127.0.0.1:8008": f"connect = 127.0.0.1:{to}",
    }
    return Tunnel("server.conf", folder, changes)


def client_tunnel(folder: Path, to: int) -> Tunnel:
    """On the host of a client."""
    changes = {
        "accept = 127.0.0.1:8008": "accept = 127.0.0.1:{port}",
        "connect = reverb.example.org:8009": f"connect = 127.0.0.1:{to}",
    }
    return Tunnel("client.conf", folder, changes)


def role(cwd: Path, *arguments: str) -> Command:
    """A role with process number 1, as in a container, where that can be had."""
    alone = ["unshare", *_IN_PIDS_OF_ITS_OWN] if _NUMBERED else []
    return Command([*alone, sys.executable, _RUN_MODULE, *arguments], cwd)


class Place:
    """A server of a run behind a tunnel.

    Attributes:
      keys: The folder of the certificates.
      tunnel: In front of the server.
      running: The server's run.
    """

    def __init__(self, cwd: Path, exit_stack: contextlib.ExitStack) -> None:
        self.keys = certificates(cwd / "keys")
        port = portpicker.pick_unused_port()
        server = role(
            cwd,
            "reverb_server",
            "--root_dir=run",
            f"--port={port}",
            "--num_actors=1",
            f"--gin_file={UNHURRIED}",
        )
        exit_stack.callback(server.kill)
        self.tunnel = server_tunnel(self.keys, port)
        exit_stack.callback(self.tunnel.command.kill)
        server.wait_until(lambda: "is served at" in server.output, TIMEOUT_S)
        self.running = Running(server, cwd / "run")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One server for all tests."""
    with contextlib.ExitStack() as exit_stack:
        yield Place(tmp_path_factory.mktemp("tls"), exit_stack)


def context(folder: Path | None, name: str = "client") -> ssl.SSLContext:
    """What a client shows, and that it does not care about the server."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if folder is not None:
        made.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return made


def answer(port: int, tls: ssl.SSLContext | None) -> bytes:
    """What somebody at the port answers to a client's first words, up to a byte."""
    connection = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    try:
        if tls:
            connection = tls.wrap_socket(connection)
        connection.sendall(_HELLO)
        return connection.recv(1)
    except (ssl.SSLError, ConnectionError):
        return b""
    finally:
        connection.close()


def test_a_stranger_gets_nothing(place: Place, tmp_path: Path) -> None:
    """Nor does who has a certificate of another authority, or for another purpose."""
    port = place.tunnel.port
    assert answer(port, context(place.keys))  # So the server itself does answer.
    assert answer(port, None) == b""
    assert answer(port, context(None)) == b""
    assert answer(port, context(certificates(tmp_path / "others"))) == b""
    assert answer(port, context(place.keys, "server")) == b""


@pytest.mark.parametrize("name", ["client", "server"])
def test_an_impostor_gets_nothing(name: str, place: Place, tmp_path: Path) -> None:
    """One with a client's certificate, or with a server's of another authority."""
    keys = place.keys if name == "client" else certificates(tmp_path / "others")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(keys / f"{name}.pem", keys / f"{name}.key")
    with socket.create_server(("127.0.0.1", 0)) as impostor:
        impostor.settimeout(TIMEOUT_S)
        refused = []

        def pose() -> None:
            accepted, _ = impostor.accept()
            with accepted:
                try:
                    tls.wrap_socket(accepted, server_side=True).close()
                except ssl.SSLError as error:
                    refused.append(error.reason)

        posing = threading.Thread(target=pose)
        posing.start()
        tunnel = client_tunnel(place.keys, impostor.getsockname()[1])
        try:
            assert answer(tunnel.port, None) == b""
        finally:
            tunnel.command.kill()
        posing.join(TIMEOUT_S)
    assert refused
    assert "ALERT" in str(refused[0])


def _has_rows(place: Place, role: str) -> bool:
    return bool(place.running.rows(role))


def test_who_has_a_certificate_joins(place: Place) -> None:
    """An actor, even with the process number of the server.

    To read the manifest, Reverb would give it the address of a table in the server's
    memory if it seemed to be of the same machine, and it would crash.
    """
    tunnel = client_tunnel(place.keys, place.tunnel.port)
    cwd = place.running.folder.parent
    actor = role(cwd, "actor", f"--server_address=localhost:{tunnel.port}")
    try:
        actor.wait_until(
            lambda: bool(place.running.count("reverb_server", "env_steps")), TIMEOUT_S
        )
        if _NUMBERED:
            for name in ("actor", "reverb_server"):
                actor.wait_until(partial(_has_rows, place, name), TIMEOUT_S)
                assert {row["pid"] for row in place.running.rows(name)} == {1}
        for process in actor.processes():
            process.send_signal(signal.SIGTERM)
        assert actor.wait() == 128 + signal.SIGTERM, actor.output
    finally:
        actor.kill()
        tunnel.command.kill()


def test_an_authority_is_not_replaced(place: Place) -> None:
    """Its certificates would be worth nothing from then on."""
    before = (place.keys / "ca.key").read_bytes()
    command = [_TLS / "certificates.sh", place.keys]
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "holds an authority already" in again.stderr
    assert (place.keys / "ca.key").read_bytes() == before
