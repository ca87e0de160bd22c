"""Names, proxies and ports, as far as the processes of one machine need them."""

from __future__ import annotations

import socket
from pathlib import Path

from experiment import proxy
from launch.doctor.finding import FAIL, OK, WARN, Finding
from launch.doctor.options import Options

# Seconds for anything on this machine to answer.
_TIMEOUT_S = 2.0

# Ports for outgoing connections; a run needs some dozens.
_FEWEST_PORTS = 1_000

_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def proxies() -> Finding:
    """Whether gRPC would send the traffic of this machine elsewhere."""
    named = ", ".join(proxy.variables())
    if not named:
        return Finding(OK, "proxy", "none")
    variable, hosts = proxy.exempt()
    if set(proxy.LOCAL_HOSTS) <= set(hosts):
        return Finding(OK, "proxy", f"{named}; not for this machine, by {variable}")
    return Finding(
        WARN,
        "proxy",
        f"{named} is set, which gRPC obeys even for 127.0.0.1; the processes of a run "
        "pass it by, other programs that use Reverb wait for ever",
        f"export {variable}={','.join([*hosts, *proxy.LOCAL_HOSTS])}",
    )


def loopback() -> Finding:
    """Whether processes of this machine reach each other by the name localhost."""
    try:
        found = {each[4][0] for each in socket.getaddrinfo("localhost", None)}
    except OSError as error:
        text = f"localhost cannot be resolved ({error.strerror})"
        return Finding(FAIL, "localhost", text, _HOSTS_REMEDY)
    if "127.0.0.1" not in found:
        text = f"localhost is {', '.join(map(str, found))}, not 127.0.0.1"
        return Finding(FAIL, "localhost", text, _HOSTS_REMEDY)
    try:
        _talk_to_oneself()
    except OSError as error:
        text = f"127.0.0.1 cannot be reached ({error})"
        remedy = "see whether the interface lo is up, and the firewall lets it be"
        return Finding(FAIL, "localhost", text, remedy)
    return Finding(OK, "localhost", "127.0.0.1, and it answers")


_HOSTS_REMEDY = "add the line `127.0.0.1 localhost` to /etc/hosts"


def _talk_to_oneself() -> None:
    """Serves on all interfaces, as Reverb does, and connects."""
    with socket.create_server(("", 0)) as server:
        server.settimeout(_TIMEOUT_S)
        address = "127.0.0.1", server.getsockname()[1]
        with socket.create_connection(address, _TIMEOUT_S) as client:
            accepted, _ = server.accept()
            with accepted:
                accepted.sendall(b"1")
                client.recv(1)


def port_range() -> Finding:
    """The ports that the system gives to outgoing connections."""
    first, last = (int(number) for number in _PORT_RANGE.read_text().split())
    found = f"{first} to {last} for outgoing connections"
    if last - first < _FEWEST_PORTS:
        remedy = "sysctl -w net.ipv4.ip_local_port_range='32768 60999'"
        return Finding(WARN, "ports", f"{found} are few", remedy)
    return Finding(OK, "ports", found)


def port(options: Options) -> Finding:
    """Whether the server can have its port."""
    from reverb_server import port as port_lib  # noqa: PLC0415  (needs packages)

    holder, number = port_lib.reserve(options.port)
    holder.close()
    return Finding(OK, "port", f"{number} is free")
