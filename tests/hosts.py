"""Hosts of a test's own: network namespaces, each with an address, at one switch."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence

import pytest

# Of addresses that are for examples: nothing outside of the namespaces has them.
_NETWORK = "198.51.100"
_NETWORK_6 = "2001:db8:"


def _ip(*arguments: str, check: bool = True) -> bool:
    """Runs `ip`; returns whether it did what it was asked to."""
    command = ["ip", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not check or ended.returncode == 0, (command, ended.stderr)
    return ended.returncode == 0


class Host:
    """A network namespace with one interface, beside its loopback.

    Attributes:
      address: IPv4 address of its interface.
      address_6: IPv6 address.
    """

    def __init__(self, switch: str, number: int) -> None:
        """Makes nothing yet.

        Args:
          switch: Namespace of the switch.
          number: From 1; decides on names and addresses.
        """
        self.address = f"{_NETWORK}.{number}"
        self.address_6 = f"{_NETWORK_6}:{number}"
        self.name = f"{switch}-{number}"
        self._switch = switch
        self._port = f"port{number}"

    def make(self) -> None:
        """Makes it, plugged into the switch."""
        _ip("netns", "add", self.name)
        _ip(
            *("-n", self.name, "link", "add", "eth0", "type", "veth"),
            *("peer", "name", self._port, "netns", self._switch),
        )
        _ip("-n", self._switch, "link", "set", self._port, "master", "switch", "up")
        for interface in ("lo", "eth0"):
            _ip("-n", self.name, "link", "set", interface, "up")
        _ip("-n", self.name, "address", "add", f"{self.address}/24", "dev", "eth0")
        six = f"{self.address_6}/64"
        _ip("-n", self.name, "address", "add", six, "dev", "eth0", "nodad")

    def command(self, *words: str) -> list[str]:
        """A command on this host, as one on ours."""
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, *words: str) -> str:
        """Runs a command on this host; returns what it prints."""
        command = self.command(*words)
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0, (command, ended.stderr)
        return ended.stdout

    def lose(self, percent: int) -> None:
        """Loses so many of the packets that reach it, at random; needs `nft`."""
        for rule in (
            "add table inet loss",
            "add chain inet loss input { type filter hook input priority filter; }",
            "add rule inet loss input iifname eth0 numgen random mod 100 "
            f"< {percent} drop",
        ):
            self.run("nft", rule)

    def delay(self, milliseconds: int) -> None:
        """Sends what it sends so much later."""
        netem = ("netem", "delay", f"{milliseconds}ms")
        self.run("tc", "qdisc", "add", "dev", "eth0", "root", *netem)

    def cut(self) -> None:
        """Pulls its cable out of the switch."""
        _ip("-n", self._switch, "link", "set", self._port, "down")

    def mend(self) -> None:
        """Plugs it in again."""
        _ip("-n", self._switch, "link", "set", self._port, "up")

    def delete(self) -> None:
        """Takes it away, with its cable."""
        _ip("netns", "delete", self.name, check=False)


class Network:
    """Some hosts at a switch, which has no way to the outside.

    Attributes:
      hosts: Each reaches all others, and nothing else.
    """

    def __init__(self, count: int) -> None:
        self._switch = f"antiphon-{uuid.uuid4().hex[:8]}"
        self._count = count
        self.hosts: list[Host] = []

    def __enter__(self) -> Sequence[Host]:
        try:
            _ip("netns", "add", self._switch)
            _ip("-n", self._switch, "link", "add", "switch", "type", "bridge")
            _ip("-n", self._switch, "link", "set", "switch", "up")
            for number in range(1, self._count + 1):
                self.hosts.append(Host(self._switch, number))
                self.hosts[-1].make()
        except BaseException:
            self.__exit__()
            raise
        return self.hosts

    def __exit__(self, *_: object) -> None:
        for host in self.hosts:
            host.delete()
        _ip("netns", "delete", self._switch, check=False)


@functools.cache
def can_be_made() -> bool:
    """Whether this user may make network namespaces, and cables between them."""
    if os.geteuid() != 0:
        return False
    try:
        with Network(1):
            return True
    except (OSError, AssertionError):
        return False


@functools.cache
def can_delay() -> bool:
    """Whether the kernel can send packets later than it could."""
    words = "unshare --net tc qdisc add dev lo root netem delay 1ms"
    with contextlib.suppress(OSError):
        ended = subprocess.run(words.split(), capture_output=True, check=False)
        return ended.returncode == 0
    return False


needed = pytest.mark.skipif(
    not can_be_made(),
    reason="hosts cannot be made here; it takes root, `ip` (Debian: iproute2), and a "
    "kernel with network namespaces, veth and bridge",
)

needs_nft = pytest.mark.skipif(
    shutil.which("nft") is None,
    reason="nft is not installed; Debian has it in the package nftables",
)
