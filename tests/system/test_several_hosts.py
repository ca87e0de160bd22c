"""Actors on another host than the rest of the run, by nothing but an address.

The hosts are network namespaces that the test makes, at a switch: they share a kernel,
a clock and a disk, but no way between processes other than the cables.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Callable

import portpicker
import pytest

from tests import hosts as hosts_lib
from tests.faults.running import UNHURRIED, Running
from tests.hosts import Host
from tests.system.commands import CHECKOUT, TIMEOUT_S, Command

pytestmark = [
    hosts_lib.needed,
    hosts_lib.needs_nft,
    pytest.mark.timeout(1_800),
]

_RUN_MODULE = str(CHECKOUT / "launch" / "run_module.py")

# Of all packets that reach a host.
_LOST_PERCENT = 1

Start = Callable[..., Command]


@pytest.fixture
def hosts() -> Iterator[Sequence[Host]]:
    """Three hosts with a bad network between them."""
    with hosts_lib.Network(3) as made:
        for host in made:
            host.lose(_LOST_PERCENT)
        yield made


def env_steps(running: Running) -> int:
    """Environment steps that have reached the server."""
    return running.count("reverb_server", "env_steps") or 0


def cut_for(seconds: float, host: Host, running: Running) -> None:
    """Pulls a cable without which there is no experience, for a while."""
    host.cut()
    cut_at = time.time()

    def rows_after(wait_s: float) -> bool:
        return running.count("reverb_server", "env_steps", cut_at + wait_s) is not None

    # What was on its way may still come.
    running.wait(lambda: rows_after(seconds / 3), seconds + TIMEOUT_S)
    before = env_steps(running)
    running.wait(lambda: rows_after(seconds), seconds + TIMEOUT_S)
    assert env_steps(running) == before
    host.mend()


def test_actors_join_by_address_and_a_cut_cable_is_survived(
    hosts: Sequence[Host], start: Start, tmp_path: Path
) -> None:
    """The commands are those of docs/clusters.md, and the target is reached."""
    main, other, _ = hosts
    port = portpicker.pick_unused_port()
    launched = start(
        *main.command(sys.executable, _RUN_MODULE, "launch", "--root_dir=run"),
        *("--num_actors=1", "--actors_elsewhere=1", f"--port={port}"),
    )
    running = Running(launched, tmp_path / "run")
    actor = start(
        *other.command(sys.executable, _RUN_MODULE, "actor"),
        *(f"--server_address={main.address}:{port}", "--task=0"),
    )
    running.wait(lambda: running.count("learner", "train_step"))
    cut_for(15, other, running)
    assert launched.wait(3 * TIMEOUT_S) == 0, launched.output  # It has to learn.
    assert actor.wait() == 0, actor.output
    for command in (launched, actor):
        command.assert_nothing_is_left()
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["status"] == "target_reached"
    assert result["average_return"] >= 475
    assert result["env_steps"] > 0
    assert f"reaches this machine at {main.address}" in launched.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cut_s", "delay_ms"),
    [
        (16, 0),  # The server then gives up connections on which the learner waits.
        (60, 0),
        pytest.param(
            *(60, 25),
            marks=pytest.mark.skipif(
                not hosts_lib.can_delay(), reason="the kernel has no netem"
            ),
        ),
    ],
)
def test_a_learner_on_a_third_host_is_cut_off(
    cut_s: int, delay_ms: int, hosts: Sequence[Host], start: Start, tmp_path: Path
) -> None:
    """Actors are held by the rate limiter meanwhile; then it goes on, to the end."""
    if delay_ms:
        for host in hosts:
            host.delay(delay_ms)
    port = portpicker.pick_unused_port()
    address = f"--server_address={hosts[0].address}:{port}"

    def role(host: Host, *arguments: str) -> Command:
        return start(*host.command(sys.executable, _RUN_MODULE, *arguments))

    server = role(
        hosts[0],
        *("reverb_server", "--root_dir=run", f"--port={port}", "--num_actors=1"),
        *(f"--gin_file={UNHURRIED}", "--gin_bindings=Train.max_train_steps = 1500"),
    )
    running = Running(server, tmp_path / "run")
    learner = role(hosts[1], "learner", address, "--root_dir=learner")
    others = [role(hosts[1], "eval_job", address, "--root_dir=learner")]
    others.append(role(hosts[2], "actor", address))
    running.wait(lambda: running.count("learner", "train_step"))
    cut_for(cut_s, hosts[1], running)
    for command in (learner, *others, server):
        assert command.wait() == 0, command.output
        command.assert_nothing_is_left()
    assert (tmp_path / "learner" / "policies" / "greedy_policy").is_dir()
    returns = (tmp_path / "learner" / "eval" / "returns.csv").read_text()
    assert returns.splitlines()[-1].startswith("1500,")
