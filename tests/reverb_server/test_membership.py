"""reverb_server/membership.py: roles that take part in a run that is served here."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import portpicker
import psutil
import pytest

from experiment import definition, process, run_status
from reverb_server import membership, run_tables, tables
from reverb_server.membership import Membership
from reverb_server.replay_layout import replay_layout
from reverb_server.replay_writer import ReplayWriter
from reverb_server.server import RunServer
from reverb_server.telemetry import drain
from tests.reverb_server.conftest import Built
from tests.reverb_server.episodes import batches, experience
from tests.reverb_server.run_for_tests import GIN_TEXT, StopByHand, manifest
from tests.reverb_server.waiting import wait_until


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunServer]:
    """The server of a run."""
    port = portpicker.pick_unused_port()
    server = RunServer(definition.load_text(GIN_TEXT), manifest(tmp_path), port)
    yield server
    server._server.stop()


@pytest.fixture
def stop() -> StopByHand:
    """What asks the role to stop."""
    return StopByHand()


Join = Callable[..., Membership]


@pytest.fixture
def join(
    run: RunServer, stop: StopByHand, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Join]:
    """Joins the run, with telemetry that is quicker than a person needs it."""
    monkeypatch.setattr(membership, "_POLL_S", 0.02)
    monkeypatch.setattr(membership, "_TELEMETRY_S", 0.05)
    with contextlib.ExitStack() as stack:

        def join_run(role: str = "actor", task: int = 0) -> Membership:
            joined = Membership(run.address, role, stop, task)
            stack.callback(joined.leave)
            return joined

        yield join_run


def rows(run: RunServer) -> list[dict[str, Any]]:
    """What has come by telemetry since the last look."""
    info = run.client.server_info(timeout=5)
    return drain(run.client, info[tables.TELEMETRY].current_size)


def test_whoever_joins_knows_the_run(run: RunServer, join: Join) -> None:
    """All it needs is the address."""
    joined = join()
    assert joined.address == run.address
    assert joined.manifest.gin_text == GIN_TEXT
    assert joined.client.server_info(timeout=5).keys()
    assert joined.is_running()
    assert not joined.run_has_ended()


def test_the_end_of_the_run_is_heard_of(
    run: RunServer, join: Join, cartpole: Built
) -> None:
    """By everyone, once it is announced."""
    roles = [join("actor", 0), join("actor", 1), join("eval_job")]
    assert all(role.is_running() for role in roles)
    run_tables.announce_end(
        run.address, run_status.MAX_TRAIN_STEPS, tables.weights_of(*cartpole)
    )
    wait_until(lambda: not any(role.is_running() for role in roles))
    assert all(role.run_has_ended() for role in roles)


def test_a_role_that_is_told_to_stop_is_not_running(
    join: Join, stop: StopByHand
) -> None:
    """Though the run goes on."""
    joined = join()
    stop.set()
    assert not joined.is_running()
    assert not joined.run_has_ended()


def test_a_role_that_is_told_to_stop_before_it_has_joined_ends(
    stop: StopByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the signal's code, as it would later; here pytest shall not end."""
    monkeypatch.setattr(process, "end_process", sys.exit)
    stop.set()
    nobody = f"localhost:{portpicker.pick_unused_port()}"
    with pytest.raises(SystemExit) as ended:
        Membership(nobody, "actor", stop)
    assert ended.value.code == 143


def test_figures_are_sent_again_and_again(run: RunServer, join: Join) -> None:
    """The newest ones, with whose they are, and how much memory it takes."""
    joined = join("actor", task=3)
    joined.report(env_steps=10, episodes=1)
    joined.report(env_steps=20)
    found: list[dict[str, Any]] = []

    def reported() -> bool:
        found.extend(row for row in rows(run) if row.get("env_steps") == 20)
        return len(found) >= 2

    wait_until(reported)
    assert found[0]["time"] < found[1]["time"]
    for row in found:
        assert (row["role"], row["task"], row["pid"]) == ("actor", 3, os.getpid())
        assert row["episodes"] == 1
        assert 10 < row["memory_mb"] < 100_000


def test_figures_are_counted_when_they_are_sent(run: RunServer, join: Join) -> None:
    """So those of who is blocked are no older than others."""
    joined = join()
    counted = itertools.count()
    joined.report(episodes=1, env_steps=-1)
    joined.report_from(lambda: {"env_steps": next(counted)})
    found: list[dict[str, Any]] = []

    def reported() -> bool:
        found.extend(row for row in rows(run) if row.get("env_steps", -1) >= 0)
        return len(found) >= 3

    wait_until(reported)
    assert [row["env_steps"] for row in found[:3]] == [0, 1, 2]
    assert found[0]["episodes"] == 1


def test_who_leaves_sends_the_last_figures(
    run: RunServer, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not waiting for the next time; and none after them."""
    monkeypatch.setattr(membership, "_TELEMETRY_S", 3600.0)
    joined = join("learner")
    joined.report(train_step=1_000)
    assert rows(run) == []
    joined.leave()
    assert [row["train_step"] for row in rows(run)] == [1_000]
    assert not joined._thread.is_alive()


def test_environment_steps_are_counted(
    run: RunServer, join: Join, cartpole: Built
) -> None:
    """Those from before it joined, and those after; in transitions, not items."""
    layout = replay_layout(cartpole.agent, definition.load_text(GIN_TEXT).replay)
    writer = ReplayWriter(run.client, layout, 8, lambda: True)
    rounds = list(batches(experience([[9]] * 8)))
    for steps in rounds[:5]:
        writer(steps)
    wait_until(lambda: run.client.server_info()[tables.REPLAY].current_size == 4)
    joined = join()
    assert joined.env_steps(8) == 4 * 8
    for steps in rounds[5:]:
        writer(steps)
    wait_until(lambda: joined.env_steps(8) == 9 * 8)


def test_a_server_that_is_gone_is_given_up(
    run: RunServer, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its address; here the process is not ended, as it is pytest's."""
    reasons: list[str] = []
    monkeypatch.setattr(membership, "SERVER_TIMEOUT_S", 0.5)
    monkeypatch.setattr(process, "fail", reasons.append)
    joined = join()
    run._server.stop()
    wait_until(lambda: reasons)
    assert f"Reverb server at {run.address} has not answered" in reasons[0]
    assert joined.is_running()  # Nobody said that the run was over.


def test_connections_to_the_server_are_probed(
    run: RunServer, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the kernel, see `keepalive`; gRPC makes them whenever it likes to."""
    monkeypatch.setattr(membership, "_PROBES_S", 0.05)
    join()
    port = int(run.address.rpartition(":")[2])

    def probed() -> list[bool]:
        found = []
        for each in psutil.Process().net_connections("tcp"):
            if each.raddr and each.raddr.port == port:
                with socket.socket(fileno=os.dup(each.fd)) as made:
                    option = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                    found.append(bool(made.getsockopt(*option)))
        return found

    wait_until(lambda: any(probed()) and all(probed()))
