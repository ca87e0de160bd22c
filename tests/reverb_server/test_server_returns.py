"""reverb_server/membership.py: a server that dies, and what comes back in its place."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import portpicker
import pytest
import reverb
import tensorflow as tf

from experiment import definition, process, run_status
from experiment.errors import EXIT_CONFIGURATION
from experiment.manifest import Manifest
from reverb_server import address, membership, run_tables, tables
from reverb_server.address import NO_ANSWER
from reverb_server.membership import Membership
from reverb_server.server import RunServer
from tests.reverb_server.conftest import Built
from tests.reverb_server.run_for_tests import GIN_TEXT, StopByHand, manifest
from tests.reverb_server.waiting import wait_until


class Port:
    """A port at which one server after another serves."""

    def __init__(self) -> None:
        self.number = portpicker.pick_unused_port()
        self.server: RunServer | None = None

    def serve(self, run: Manifest) -> RunServer:
        """Serves this run, in the place of the one before."""
        self.stop()
        experiment = definition.load_text(GIN_TEXT)
        self.server = RunServer(experiment, run, self.number)
        return self.server

    def stop(self) -> None:
        """Nobody serves there."""
        if self.server:
            client = self.server.client
            self.server.stop()
            # Servers of one process share connections; the next one shall not be
            # asked by way of one that is about to be closed.
            wait_until(lambda: not _answers(client))
        self.server = None


def _answers(client: reverb.Client) -> bool:
    try:
        client.server_info(timeout=1)
    except NO_ANSWER:
        return False
    return True


@pytest.fixture
def port() -> Iterator[Port]:
    """Nobody serves there yet."""
    made = Port()
    yield made
    made.stop()


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Why the process would have ended; it is pytest's, so it does not."""
    reasons: list[tuple[str, int]] = []
    monkeypatch.setattr(
        process, "fail", lambda text, code=1: reasons.append((text, code))
    )
    return reasons


Join = Callable[[], Membership]


@pytest.fixture
def join(
    port: Port, monkeypatch: pytest.MonkeyPatch, ends: list[tuple[str, int]]
) -> Iterator[Join]:
    """Joins the run at the port; nobody waits long for a server here."""
    assert ends == []
    monkeypatch.setattr(membership, "_POLL_S", 0.02)
    monkeypatch.setattr(membership, "_SILENCE_S", 0.1)
    with contextlib.ExitStack() as stack:

        def join_run() -> Membership:
            role = Membership(f"localhost:{port.number}", "actor", StopByHand())
            stack.callback(role.leave)
            return role

        yield join_run


def next_server(run: Manifest, **changes: Any) -> Manifest:
    """Of the server that takes the place of a run's."""
    return dataclasses.replace(run, server_start=run.server_start + 1, **changes)


def test_the_same_run_is_gone_on_with(
    port: Port,
    join: Join,
    tmp_path: Path,
    ends: list[tuple[str, int]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its manifest is read again, and those who asked for it are called, once."""
    caplog.set_level(logging.INFO)
    first = port.serve(manifest(tmp_path)).manifest
    role, calls = join(), []
    role.on_return(lambda: calls.append("a"))
    role.on_return(lambda: calls.append("b"))
    port.stop()
    wait_until(lambda: "does not answer: waiting up to 120 s" in caplog.text)
    second = port.serve(next_server(first, num_actors=9)).manifest
    wait_until(lambda: len(calls) == 2)
    assert role.manifest == second
    assert (role.manifest.server_start, role.manifest.num_actors) == (2, 9)
    assert role.is_running()
    assert "the server answers again after" in caplog.text
    assert "the server has come back (start 2 of it)" in caplog.text
    assert "the replay table began empty" in caplog.text
    assert calls == ["a", "b"]
    assert ends == []


def test_a_server_that_was_only_slow_is_no_other_one(
    port: Port, join: Join, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It says that it is the one from before."""
    first = port.serve(manifest(tmp_path)).manifest
    role, calls = join(), []
    role.on_return(lambda: calls.append("a"))
    port.stop()
    wait_until(lambda: "does not answer" in caplog.text)
    port.serve(first)
    wait_until(lambda: "answers again" in caplog.text)
    assert role.is_running()
    assert calls == []


def test_a_server_of_another_run_ends_the_role(
    port: Port, join: Join, tmp_path: Path, ends: list[tuple[str, int]]
) -> None:
    """As wrongly configured, with a line that names both runs."""
    first = port.serve(manifest(tmp_path / "a")).manifest
    role = join()
    second = port.serve(manifest(tmp_path / "b")).manifest
    wait_until(lambda: ends)
    message, code = ends[0]
    assert code == EXIT_CONFIGURATION
    assert f"belongs to run {second.run_id} now" in message
    assert f"this actor to run {first.run_id}" in message
    assert f"localhost:{port.number}" in message
    assert "\n" not in message
    assert role.manifest.run_id == first.run_id


def test_a_server_that_is_none_of_ours_ends_the_role(
    port: Port, join: Join, tmp_path: Path, ends: list[tuple[str, int]]
) -> None:
    """Any Reverb server may take the port."""
    first = port.serve(manifest(tmp_path)).manifest
    join()
    port.stop()
    server = reverb.Server([reverb.Table.queue("mine", 1)], port=port.number)
    wait_until(lambda: ends)
    server.stop()
    message, code = ends[0]
    assert code == EXIT_CONFIGURATION
    assert "belongs to run none of ours now" in message
    assert first.run_id in message


def test_the_end_is_announced_again_to_a_server_that_does_not_know_it(
    port: Port, join: Join, tmp_path: Path, cartpole: Built
) -> None:
    """By the one that ended the run: with the same weights."""
    first = port.serve(manifest(tmp_path)).manifest
    role = join()
    weights = tf.nest.map_structure(
        lambda variable: tf.cast(tf.fill(variable.shape, 7), variable.dtype),
        tables.weights_of(*cartpole),
    )
    status, _ = role.end(run_status.TARGET_REACHED, weights)
    assert status == run_status.TARGET_REACHED
    wait_until(role.run_has_ended)
    server = port.serve(next_server(first))
    wait_until(lambda: server.client.server_info(5)[tables.END].current_size)
    status, found = run_tables.read_end(server.address)
    assert status == run_status.TARGET_REACHED
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(weights)):
        tf.debugging.assert_equal(one, other)


def test_an_end_that_was_heard_of_is_not_replaced_by_another(
    port: Port, join: Join, tmp_path: Path, cartpole: Built
) -> None:
    """The eval job ends a run that it takes for ended: that decides on the result.

    Whoever has ended it may be gone, and the server that comes back knows nothing.
    """
    first = port.serve(manifest(tmp_path))
    role = join()
    weights = tables.weights_of(*cartpole)
    final = tf.nest.map_structure(lambda variable: variable + 7, weights)
    run_tables.announce_end(first.address, run_status.MAX_TRAIN_STEPS, final)
    wait_until(role.run_has_ended)
    server = port.serve(next_server(first.manifest))
    status, found = role.end(run_status.TARGET_REACHED, weights)
    assert status == run_status.MAX_TRAIN_STEPS
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(final)):
        tf.debugging.assert_equal(one, other)
    wait_until(lambda: server.client.server_info(5)[tables.END].current_size)
    assert run_tables.read_end(server.address)[0] == run_status.MAX_TRAIN_STEPS


def test_what_is_asked_while_the_server_is_away_is_answered_by_the_next(
    port: Port, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As by a role that starts in that very moment, or that ends the run in it."""
    first = port.serve(manifest(tmp_path))
    client = reverb.Client(first.address)
    port.stop()
    answers: list[dict[str, Any]] = []
    asking = process.start_thread("asks", lambda: answers.append(address.ask(client)))
    asking.join(0.3)
    assert asking.is_alive()
    port.serve(next_server(first.manifest))
    asking.join(60)
    assert tables.REPLAY in answers[0]


def test_a_server_that_stays_away_is_named(port: Port, tmp_path: Path) -> None:
    first = port.serve(manifest(tmp_path))
    client = reverb.Client(first.address)
    port.stop()
    with pytest.raises(
        TimeoutError, match=f"{first.address} has not answered for [1-9]"
    ):
        address.ask(client, 1)


def test_an_end_that_nobody_takes_is_told_to_the_next_server(
    port: Port,
    join: Join,
    tmp_path: Path,
    cartpole: Built,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By whoever ends the run: its weights would be lost with it."""
    monkeypatch.setattr(run_tables, "_END_TIMEOUT_S", 0.1)
    first = port.serve(manifest(tmp_path))
    role, weights = join(), tables.weights_of(*cartpole)
    port.stop()
    ended: list[str] = []
    ending = process.start_thread(
        "ends", lambda: ended.append(role.end(run_status.MAX_TRAIN_STEPS, weights)[0])
    )
    wait_until(lambda: "the end is not told yet" in caplog.text)
    assert ending.is_alive()
    server = port.serve(next_server(first.manifest))
    ending.join(60)
    assert ended == [run_status.MAX_TRAIN_STEPS]
    assert run_tables.read_end(server.address)[0] == run_status.MAX_TRAIN_STEPS
