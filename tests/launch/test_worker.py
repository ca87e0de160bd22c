"""launch/worker.py: one role through its lives, as real processes."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

from launch import restarts
from launch import worker as worker_lib
from launch.children import Child
from launch.worker import Failure, Leaving, Worker
from tests.launch.a_run import stand_in
from tests.reverb_server.waiting import wait_until

Make = Callable[..., Worker]

SLEEP = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes workers for the given program; none of their processes stays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(restarts, "_FIRST_DELAY_S", 0.2)
    (tmp_path / "temporary").mkdir()
    with contextlib.ExitStack() as stack:

        def _make(body: str, max_restarts: int = 5) -> Worker:
            role = stand_in(tmp_path, "actor-0", body)
            role = dataclasses.replace(role, restart_arguments=["--again"])
            start = functools.partial(
                Child, logs_dir=tmp_path / "logs", temporary=tmp_path / "temporary"
            )
            worker = Worker(role, start, max_restarts)

            def end() -> None:
                if worker.child:
                    worker.child.send(signal.SIGKILL)
                    worker.child.wait(time.monotonic() + 30)

            stack.callback(end)
            return worker

        yield _make


def fail(worker: Worker, may_restart: bool = True) -> Failure:
    """Looks after it until it has failed."""
    found: list[Failure] = []

    def failed() -> bool:
        failure = worker.look(may_restart, has_worked=True)
        found.extend([failure] if failure else [])
        return bool(found)

    wait_until(failed)
    return found[0]


def pid(worker: Worker) -> int:
    """Of the process that runs now."""
    assert worker.child is not None
    return worker.child.pid


def test_it_is_started_by_the_first_look(make: Make) -> None:
    """And finished when it has ended well; that is no failure."""
    worker = make("print('done')")
    assert worker.child is None
    assert not worker.has_finished
    assert worker.look(may_restart=True, has_worked=True) is None
    wait_until(lambda: worker.has_finished)
    first = pid(worker)
    assert worker.look(may_restart=True, has_worked=True) is None
    assert pid(worker) == first


def test_one_that_was_killed_is_started_again_later(make: Make, tmp_path: Path) -> None:
    """Not before the wait is over; with the further flags, and the same log."""
    worker = make("import sys; print(sys.argv[1:], flush=True)\n" + SLEEP)
    log = tmp_path / "logs" / "actor-0.log"
    worker.look(may_restart=True, has_worked=True)
    first = pid(worker)
    wait_until(lambda: log.exists() and "up" in log.read_text())
    assert worker.child is not None
    worker.child.send(signal.SIGKILL)
    failure = fail(worker)
    failed_at = time.monotonic()
    assert (failure.name, failure.exit_code, failure.log) == ("actor-0", 137, log)
    assert failure.cause == "was ended by SIGKILL"
    assert failure.restart_in_s == 0.2
    assert 0 < failure.lived_s < 60
    assert failure.last_words == "\n[]\nup"

    def is_started() -> bool:
        assert worker.look(may_restart=True, has_worked=True) is None
        return pid(worker) != first

    wait_until(is_started)
    assert time.monotonic() - failed_at > 0.15
    wait_until(lambda: log.read_text() == "[]\nup\n['--again']\nup\n")


def test_a_failure_is_told_once(make: Make) -> None:
    """If it is not started again, never again; its words are its own."""
    worker = make("print('fatal: no'); raise SystemExit(2)")
    failure = fail(worker)
    assert str(failure).startswith("actor-0 failed (exit code 2, log ")
    assert str(failure).endswith("actor-0.log): no")
    assert failure.cause == "failed with exit code 2"
    assert failure.restart_in_s is None
    first = pid(worker)
    assert [worker.look(may_restart=True, has_worked=True) for _ in range(20)] == [
        None
    ] * 20
    assert (pid(worker), worker.has_finished) == (first, False)


def test_one_that_is_not_wanted_any_longer_stays_dead(make: Make) -> None:
    """The run has ended: an actor that fails then is missed by nobody."""
    worker = make("raise SystemExit(1)")
    assert fail(worker, may_restart=False).restart_in_s is None
    assert worker.look(may_restart=False, has_worked=True) is None


def test_one_that_asks_for_it_is_started_at_once(make: Make) -> None:
    """Exit code 75."""
    worker = make("raise SystemExit(75)")
    assert fail(worker).restart_in_s == 0.0
    first = pid(worker)
    worker.look(may_restart=True, has_worked=True)
    assert pid(worker) != first


def test_it_is_given_up_in_the_end(make: Make) -> None:
    """After so many restarts in a row."""
    worker = make("raise SystemExit(1)", max_restarts=2)
    waits = [fail(worker).restart_in_s for _ in range(3)]
    assert waits == [0.2, 0.4, None]


@pytest.mark.parametrize("listens", [True, False])
def test_one_that_is_not_wanted_is_asked_to_end_then_killed(
    listens: bool, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whatever it ends with is no failure."""
    monkeypatch.setattr(worker_lib, "GRACE_S", -1.5)
    deaf = "" if listens else "import signal; signal.signal(15, signal.SIG_IGN)\n"
    worker = make(deaf + SLEEP)
    worker.look(may_restart=True, has_worked=True)
    child = worker.child
    assert child is not None
    wait_until(lambda: "up" in child.log.read_text())
    leaving = Leaving(child)
    wait_until(leaving.has_ended)
    assert child.exit_code == 128 + (signal.SIGTERM if listens else signal.SIGKILL)
    assert worker.look(may_restart=True, has_worked=True) is None


def test_one_that_does_not_end_is_killed_once(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is looked after: signals to another node queue there."""
    monkeypatch.setattr(worker_lib, "GRACE_S", -3.0)
    worker = make(SLEEP)
    worker.look(may_restart=True, has_worked=True)
    child = worker.child
    assert child is not None
    sent: list[signal.Signals] = []
    with monkeypatch.context() as patched:
        patched.setattr(child, "send", sent.append)
        leaving = Leaving(child)
        assert [leaving.has_ended() for _ in range(3)] == [False] * 3
    assert sent == [signal.SIGTERM, signal.SIGKILL]


def test_one_whose_place_nobody_can_take_is_not_started_again(make: Make) -> None:
    """Its failure is the run's, with its own exit code."""
    worker = make("raise SystemExit(1)")
    worker.look(may_restart=True, has_worked=True)
    assert worker.child is not None
    worker.child.is_last = True
    failure = fail(worker)
    assert (failure.exit_code, failure.restart_in_s) == (1, None)
