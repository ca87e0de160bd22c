"""Server addresses, and the check that somebody answers there.

Most Reverb calls wait for ever, in silence, when nobody answers (a wrong port looks
like a frozen program, tensorflow/agents#666): so every role connects here first.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from typing import Any, Callable

import reverb

from experiment import proxy
from experiment.errors import ConfigurationError
from reverb_server.port import MAX_PORT

# Seconds a role waits for its server to come up.
CONNECT_TIMEOUT_S = 60.0

# Seconds without an answer of the server after which a role gives up. A server that is
# restarted needs some 10, under load 30.
SERVER_TIMEOUT_S = 120.0

# Seconds between two looks whether it has, and those that it has for one answer.
_RETRY_S = 0.1
_ANSWER_TIMEOUT_S = 5

# What `server_info` raises while nobody answers; "Socket closed" is a RuntimeError.
NO_ANSWER = (reverb.errors.ReverbError, RuntimeError)


def parse_address(address: str) -> tuple[str, int]:
    """Splits and checks `host:port`.

    Raises:
      ConfigurationError: The form is wrong, or the host is unknown.
    """
    host, _, port = address.rpartition(":")
    is_host = host and (":" not in host or host.startswith("["))
    if not is_host or not port.isdecimal() or not 1 <= int(port) <= MAX_PORT:
        raise ConfigurationError(
            f"--server_address is {address!r}; it must be host:port with a port from 1 "
            "to 65535, e.g. localhost:8008."
        )
    try:
        socket.getaddrinfo(host.strip("[]"), int(port))
    except (OSError, UnicodeError) as error:  # The latter for "a..b".
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"--server_address is {address!r}, but the host {host!r} cannot be "
            f"resolved ({reason}); check its name."
        ) from error
    return host, int(port)


def own_address(server_address: str, port: int) -> str:
    """Where other processes of a run find a port of this one.

    Args:
      server_address: host:port of the run's server, which answers.
      port: Of this process.

    Returns:
      host:port; the host is `localhost` if it is the server's, see `beside`.

    Raises:
      OSError: The server takes no connection, for longer than its restart takes.
    """
    host, server_port = parse_address(server_address)
    deadline = time.monotonic() + SERVER_TIMEOUT_S
    while not is_listening(host, server_port):  # It may be started again just now.
        if time.monotonic() > deadline:
            raise ConnectionError(
                f"the Reverb server at {server_address} takes no connection any more; "
                "see its log."
            )
        time.sleep(_RETRY_S)
    with socket.create_connection((host.strip("[]"), server_port), 5) as connection:
        own, peer = connection.getsockname()[0], connection.getpeername()[0]
    if own == peer or ipaddress.ip_address(own).is_loopback:
        return f"localhost:{port}"
    return f"[{own}]:{port}" if ":" in own else f"{own}:{port}"


def beside(server_address: str, address: str) -> str:
    """What `own_address` said, for a process that may be on another host.

    Args:
      server_address: By which this process has found the run's server.
      address: As that server has heard it.
    """
    host, _, port = address.rpartition(":")
    if host == "localhost":
        host = server_address.rpartition(":")[0]
    return f"{host}:{port}"


def connect(
    address: str,
    should_stop: Callable[[], bool],
    timeout_s: float = CONNECT_TIMEOUT_S,
) -> tuple[reverb.Client, dict[str, Any]]:
    """Waits until the server answers.

    Args:
      address: host:port.
      should_stop: Ends the wait early.
      timeout_s: Seconds to wait at most.

    Returns:
      A client, and what `server_info` said.

    Raises:
      ConfigurationError: The address is wrong, or nobody answers in time.
    """
    host, port = parse_address(address)
    proxy.bypass(host)
    deadline = time.monotonic() + timeout_s
    while not should_stop():
        if is_listening(host, port):
            client = reverb.Client(address)
            with contextlib.suppress(*NO_ANSWER):
                return client, client.server_info(timeout=1)
        if time.monotonic() > deadline:
            raise ConfigurationError(_nobody_answers(address, timeout_s))
        time.sleep(_RETRY_S)
    raise ConnectionAbortedError(f"stopped while waiting for the server at {address}")


def ask(client: reverb.Client, timeout_s: float = SERVER_TIMEOUT_S) -> dict[str, Any]:
    """Asks for `server_info`, also of a server that is away for a while.

    A role that starts may meet the very moment in which its server is started again.

    Args:
      client: Of the server.
      timeout_s: Seconds to wait at most, to the next 5.

    Returns:
      What `server_info` says of each table.

    Raises:
      TimeoutError: Nobody answered in time.
    """
    start = time.monotonic()
    while True:
        try:
            return dict(client.server_info(timeout=_ANSWER_TIMEOUT_S))
        except NO_ANSWER as error:
            waited_s = time.monotonic() - start
            if waited_s > timeout_s:
                raise TimeoutError(
                    f"the Reverb server at {client.server_address} has not answered "
                    f"for {waited_s:.0f} s; see its log."
                ) from error
            time.sleep(_RETRY_S)


def is_listening(host: str, port: int) -> bool:
    """Whether anybody takes connections there.

    gRPC waits longer after each connection that was refused, up to half a minute, and
    so would notice a server that has come up as much later.
    """
    try:
        with socket.create_connection((host.strip("[]"), port), timeout=1):
            return True
    except OSError:
        return False


def _nobody_answers(address: str, timeout_s: float) -> str:
    proxies = ", ".join(proxy.variables())
    hint = f" (mind that {proxies} is set)" if proxies else ""
    return (
        f"no Reverb server answered at {address} within {timeout_s:.0f} s{hint}; start "
        "it first, or correct --server_address."
    )
