"""launch/doctor/network.py: proxies, names and ports."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from launch.doctor import network, options
from launch.doctor.finding import Check


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's machine has set does not matter."""
    names = "grpc_proxy", "https_proxy", "http_proxy", "no_proxy", "no_grpc_proxy"
    for name in names:
        monkeypatch.delenv(name, raising=False)


def test_a_proxy_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It matters only if it is used for this machine too."""
    assert network.proxies().level == "ok"
    monkeypatch.setenv("http_proxy", "http://me:secret@127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "example.org")
    found = network.proxies()
    assert found.level == "warn"
    assert found.remedy == "export no_proxy=example.org,localhost,127.0.0.1"
    assert "secret" not in str(found)
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    assert network.proxies().level == "ok"


def test_localhost_has_to_be_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name and in fact."""
    assert network.loopback().level == "ok"
    real = socket.create_connection

    def unreachable(*args: Any) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    assert "Network is unreachable" in network.loopback().text
    monkeypatch.setattr(socket, "create_connection", real)
    elsewhere = [(socket.AF_INET6, 1, 6, "", ("::1", 0, 0, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: elsewhere)
    found = network.loopback()
    assert found.level == "fail"
    assert found.text == "localhost is ::1, not 127.0.0.1"
    assert "/etc/hosts" in found.remedy


def test_few_ports_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection takes one."""
    assert network.port_range().level == "ok"
    ports = tmp_path / "ports"
    ports.write_text("40000\t40100\n")
    monkeypatch.setattr(network, "_PORT_RANGE", ports)
    assert network.port_range().level == "warn"


def test_a_port_that_is_held_is_named() -> None:
    """A free one is not held by the check."""
    with socket.create_server(("", 0)) as holder:
        port = holder.getsockname()[1]
        wanted = options.read([f"--port={port}"])
        held = Check("port", lambda: network.port(wanted)).attempt()
    assert held.level == "fail"
    assert f"--port {port} is in use by another process" in held.text
    for _ in range(2):
        assert network.port(wanted).text == f"{port} is free"
    assert network.port(options.read([])).level == "ok"
