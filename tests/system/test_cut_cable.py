"""A client that waits for an answer while its cable is cut hears of it in the end."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Callable

import portpicker
import pytest

from tests import hosts as hosts_lib
from tests.hosts import Host
from tests.system.commands import CHECKOUT, TIMEOUT_S, Command

pytestmark = hosts_lib.needed

_RUN_MODULE = str(CHECKOUT / "launch" / "run_module.py")
_CLIENT = str(Path(__file__).with_name("cut_off_client.py"))

# Seconds. gRPC's server gives up a connection whose client has taken nothing for 20 s.
# TCP tries again ever more seldom: after so long a cut its next try comes too late, and
# the client does not hear that the server has given up.
_CUT_S = 16

# Such cuts at most, until one has made the server give up a connection.
_CUTS = 4

# Seconds that the kernel may take to find that out, see reverb_server/keepalive.py, and
# gRPC to connect again.
_FOUND_S = 90


@pytest.fixture
def hosts() -> Iterator[Sequence[Host]]:
    """The server's and the client's."""
    with hosts_lib.Network(2) as made:
        yield made


def connections(host: Host, port: int) -> set[str]:
    """The client's ends of those to the server's port."""
    lines = [line.split() for line in host.run("ss", "-Htn").splitlines()]
    return {own for *_, own, peer in lines if peer.endswith(f":{port}")}


def test_weights_go_on_after_a_cable_was_cut(
    hosts: Sequence[Host], start: Callable[..., Command]
) -> None:
    """Without keep-alive the pull never ends, while the server answers all else."""
    port = portpicker.pick_unused_port()
    start(
        *hosts[0].command(sys.executable, _RUN_MODULE, "reverb_server"),
        *("--root_dir=run", f"--port={port}", "--num_actors=1"),
    )
    environment = ("env", f"PYTHONPATH={CHECKOUT}")
    client = start(
        *hosts[1].command(*environment, sys.executable, _CLIENT),
        f"{hosts[0].address}:{port}",
    )

    def pulled() -> int:
        """The train step of the newest weights; -1 before the first."""
        steps = re.findall(r"^pulled (\d+)$", client.output, re.MULTILINE)
        return int(steps[-1]) if steps else -1

    # By then connections are probed: 5 s after the first weights were published.
    client.wait_until(lambda: pulled() > 100, TIMEOUT_S)
    for _ in range(_CUTS):
        before = connections(hosts[1], port)
        hosts[1].cut()
        time.sleep(_CUT_S)
        cut_at = pulled()
        hosts[1].mend()
        client.wait_until(lambda at=cut_at: pulled() > at, _FOUND_S)  # type: ignore[misc]
        if connections(hosts[1], port) != before:  # One was lost, and found out.
            return
    pytest.fail(f"no connection was lost by {_CUTS} cuts of {_CUT_S} s")
