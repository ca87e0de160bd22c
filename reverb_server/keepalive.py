"""Connections whose other end has gone are noticed by the kernel.

gRPC checks no connection that only waits for an answer, and Reverb lets nobody ask it
to. If the server gives up a connection while a cable is cut, its client never hears of
that: it waits for ever for weights or samples, though the server answers others.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Collection
from pathlib import Path

# Seconds without a word from the other end until the first probe; between two of them;
# and those after which it is gone, unless it takes in what was sent. A cable may be cut
# for shorter without any connection being lost.
_IDLE_S = 10
_INTERVAL_S = 5
_GONE_S = 30

_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE_S),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _INTERVAL_S),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE_S * 1_000),
)


def keep_alive(ports: Collection[int]) -> int:
    """Lets the kernel probe all connections of this process to these ports.

    Both copies of gRPC, in Reverb's Python module and in its TensorFlow operations,
    connect when they like to: so this has to be called again and again. It takes 0.4 ms
    (psutil, which reads the connections of all processes, 10 ms).

    Args:
      ports: Of servers. What else a process is connected to is left alone.

    Returns:
      To how many connections it applies.
    """
    kept = 0
    for each in Path("/proc/self/fd").iterdir():
        # It may be closed by now, or no connection.
        with contextlib.suppress(OSError):
            kept += _is_kept(int(each.name), ports)
    return kept


def _is_kept(descriptor: int, ports: Collection[int]) -> bool:
    """Sets the options if it is a connection to one of the ports; returns whether."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        if connection.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        if connection.getpeername()[1] not in ports:
            return False
        for option in _OPTIONS:
            connection.setsockopt(*option)
    return True
