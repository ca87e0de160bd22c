"""Connections whose other end has gone are noticed by the kernel.

gRPC checks no connection that only waits for an answer, and Reverb lets nobody ask it
to. If the server gives up a connection while a cable is cut, its client never hears of
that: it waits for ever for weights or samples, though the server answers others.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Collection

# Seconds without a word from the other end until the first probe, and between two of
# them. Who answers none for so long, or takes nothing of what was sent, is gone.
_IDLE_S = 10
_INTERVAL_S = 5
_GONE_S = 30

_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE_S),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _INTERVAL_S),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE_S * 1_000),
)


def keep_alive(ports: Collection[int]) -> None:
    """Lets the kernel probe all connections of this process to these ports.

    Both copies of gRPC, in Reverb's Python module and in its TensorFlow operations,
    connect when they like to: so this has to be called again and again. It takes 0.4 ms
    (psutil, which reads the connections of all processes, 10 ms).

    Args:
      ports: Of servers. What else a process is connected to is left alone.
    """
    with contextlib.suppress(OSError):  # Too many files are open, say.
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  (numbers, not paths)
            # It may be closed by now, or no connection.
            with contextlib.suppress(OSError):
                _keep_alive(int(name), ports)


def _keep_alive(descriptor: int, ports: Collection[int]) -> None:
    """Sets the options if it is a connection to one of the ports."""
    # Told its kind, Python neither asks for it nor sets the default time-out.
    kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK
    connection = socket.socket(socket.AF_INET, kind, 0, fileno=descriptor)
    try:
        peer = connection.getpeername()
        if isinstance(peer, tuple) and peer[1] in ports:
            for option in _OPTIONS:
                connection.setsockopt(*option)
    finally:
        connection.detach()  # It belongs to somebody else, who closes it.
