"""launch/tls/firewall.nft: on a host of its own, whom it lets in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

from tests import hosts as hosts_lib
from tests.hosts import Host
from tests.launch.a_run import CHECKOUT

pytestmark = [hosts_lib.needed, hosts_lib.needs_nft]

_RULES = str(CHECKOUT / "launch" / "tls" / "firewall.nft")

# As Reverb and a tunnel would: on all interfaces.
_SERVE = """
import socket, threading
servers = [
    socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    for port in (8008, 8009)
]
print("ready", flush=True)
threading.Event().wait()
"""

_REACH = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 20).close()
    print("open")
except ConnectionRefusedError:
    print("refused")
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[Sequence[Host]]:
    """The first serves, behind the firewall."""
    with hosts_lib.Network(3) as made:
        serving = subprocess.Popen(
            made[0].command(sys.executable, "-c", _SERVE), stdout=subprocess.PIPE
        )
        assert serving.stdout
        assert serving.stdout.readline() == b"ready\n"
        try:
            yield made
        finally:
            serving.kill()
            serving.communicate()


def reach(host: Host, address: str, port: int) -> str:
    """How a connection from a host ends."""
    return host.run(sys.executable, "-c", _REACH, address, str(port)).strip()


def test_only_the_host_itself_reaches_the_port(hosts: Sequence[Host]) -> None:
    """By whichever of its addresses; the tunnel's port is open to all, others too."""
    server, stranger, friend = hosts
    assert reach(stranger, server.address, 8008) == "open"
    for _ in range(2):
        server.run("nft", "-f", _RULES)
    for address in (server.address, server.address_6):
        assert reach(stranger, address, 8008) == "refused"
        assert reach(stranger, address, 8009) == "open"
    for address in ("127.0.0.1", "::1", server.address):
        assert reach(server, address, 8008) == "open"
    trusted = f"{{ {friend.address}/32 }}"
    server.run("nft", "add", "element", "inet", "antiphon", "trusted", trusted)
    assert reach(friend, server.address, 8008) == "open"
    assert reach(stranger, server.address, 8008) == "refused"
    assert reach(stranger, server.address_6, 8008) == "refused"
