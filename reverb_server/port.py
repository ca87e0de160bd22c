"""The server's port: checked to be free, and kept free until the server has it.

gRPC sets SO_REUSEPORT, so two Reverb servers can share one port without an error,
and each gets a part of the data (grpc/grpc#19773). Only a plain bind tells.
"""

from __future__ import annotations

import errno
import socket

import portpicker

from experiment.errors import ConfigurationError, check_number

MAX_PORT = 65535

_LOOPBACK = "127.0.0.1"


def reserve(port: int | None) -> tuple[socket.socket, int]:
    """Takes hold of a port for a server that this process will start.

    The socket is bound exclusively, so a second server cannot come in between; only
    then is it made sharable, so that ours can bind beside it. Close it once the
    server has ended.

    Args:
      port: The port wanted; None picks a free one.

    Returns:
      The socket that holds the port, and the port.

    Raises:
      ConfigurationError: The port is out of range, or in use.
    """
    if port is None:
        port = int(portpicker.pick_unused_port())
    if not 1 <= port <= MAX_PORT:
        raise ConfigurationError(f"--port is {port}; it must be from 1 to {MAX_PORT}.")
    holder = _bind(port)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return holder, port


def _bind(port: int) -> socket.socket:
    """Binds the port on all interfaces, as Reverb will."""
    try:
        holder = socket.socket(socket.AF_INET6)
    except OSError:  # A kernel without IPv6.
        holder = socket.socket(socket.AF_INET)
    # Connections of a server that has just ended do not count.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if holder.family == socket.AF_INET6:
            holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        holder.bind(("", port))
    except OSError as error:
        holder.close()
        raise cannot_be_served(f"--port {port}", error) from error
    return holder


def metrics_address(port: int | None, host: str | None) -> tuple[str, int] | None:
    """Where the figures are to be served for Prometheus.

    Args:
      port: `--metrics_port`.
      host: `--metrics_host`; None is this machine alone.

    Returns:
      Host and port; None if nowhere.

    Raises:
      ConfigurationError: The port is out of range, or missing.
    """
    if port is None:
        if host is not None:
            raise ConfigurationError(
                f"--metrics_host={host} means nothing without --metrics_port: add it, "
                "e.g. --metrics_port=9090."
            )
        return None
    check_number("--metrics_port", port, 1, at_most=MAX_PORT, integer=True)
    return _LOOPBACK if host is None else host, port


def require_apart(
    metrics: tuple[str, int] | None, port: int | None, servers: int = 1
) -> None:
    """Refuses a port for the figures that the run's own replay servers will have.

    Args:
      metrics: Of `metrics_address`.
      port: Of the first replay server; None if a free one is to be picked.
      servers: All replay servers that get ports here, one after another.

    Raises:
      ConfigurationError: One of them has it.
    """
    if metrics is None or port is None or not port <= metrics[1] < port + servers:
        return
    own = "the replay server's own"
    if servers > 1:
        own = f"one of the replay servers' own ({port} to {port + servers - 1})"
    raise ConfigurationError(
        f"--metrics_port is {metrics[1]}, which is {own}; choose another."
    )


def require_free(host: str, port: int) -> None:
    """Refuses an address at which the figures cannot be served now.

    Args:
      host: Name or address of this machine.
      port: Port there.

    Raises:
      ConfigurationError: It is in use, or not of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port)[0][0]
        socket.create_server((host, port), family=family).close()
    except (OSError, UnicodeError) as error:  # The latter for "a..b".
        raise cannot_be_served(f"--metrics_port {port} at {host}", error) from error


def cannot_be_served(what: str, error: Exception) -> ConfigurationError:
    """What to tell the user of a port that could not be bound.

    Args:
      what: The flags and their values.
      error: What the system said.
    """
    in_use = getattr(error, "errno", None) == errno.EADDRINUSE
    reason = "is in use by another process" if in_use else "cannot be served"
    remedy = "another port, or end that process" if in_use else "another"
    text = getattr(error, "strerror", None) or error
    return ConfigurationError(f"{what} {reason} ({text}); choose {remedy}.")
