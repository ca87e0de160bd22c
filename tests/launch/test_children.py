"""launch/children.py: real processes, how they are started and how they end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import psutil
import pytest

from launch.children import Child, end_all
from tests.launch.a_run import CHECKOUT, stand_in
from tests.reverb_server.waiting import wait_until

Start = Callable[..., Child]

# Ends only by force, and says when it is ready to be tried.
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True:
    time.sleep(60)
"""


def deadline() -> float:
    """For what takes a moment."""
    return time.monotonic() + 30


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts children with the given program; none outlives its test."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    with contextlib.ExitStack() as stack:

        def _start(body: str, *arguments: str, name: str = "actor-0") -> Child:
            role = stand_in(tmp_path, name, body, *arguments)
            child = Child(role, tmp_path / "logs", tmp_path / "temporary")
            stack.callback(child.wait, deadline())
            stack.callback(child.send, signal.SIGKILL)
            return child

        yield _start


def ended(child: Child) -> int | None:
    """Its exit code, once it has ended."""
    assert child.wait(deadline())
    return child.exit_code


def test_all_output_goes_to_a_log_of_its_own(start: Start, tmp_path: Path) -> None:
    """Named as the role is; also what libraries write past Python."""
    child = start(
        """
        import os, sys
        print("out")
        sys.stdout.flush()
        print("err", file=sys.stderr, flush=True)
        os.write(2, b"from C\\n")
        """,
        name="actor-3",
    )
    assert ended(child) == 0
    assert child.name == "actor-3"
    assert child.log == tmp_path / "logs" / "actor-3.log"
    assert child.log.read_text() == "out\nerr\nfrom C\n"


def test_a_child_gets_its_flags_and_a_session_of_its_own(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So Ctrl-C does not reach it; and nothing to read, and few words of TensorFlow."""
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    child = start(
        """
        import json, os, sys, tempfile
        print(json.dumps([
            sys.argv[1:],
            os.getsid(0) == os.getpid(),
            sys.stdin.read(),
            os.environ["TF_CPP_MIN_LOG_LEVEL"],
            tempfile.gettempdir(),
            os.getcwd(),
        ]))
        """,
        "--task=1",
        "--text=two words",
    )
    assert ended(child) == 0
    assert json.loads(child.log.read_text()) == [
        ["--task=1", "--text=two words"],
        True,
        "",
        "2",
        str(tmp_path / "temporary"),
        str(tmp_path),
    ]


def test_the_user_may_want_more_words_of_tensorflow(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they have set is left."""
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    child = start("import os; print(os.environ['TF_CPP_MIN_LOG_LEVEL'])")
    assert ended(child) == 0
    assert child.log.read_text() == "0\n"


@pytest.mark.parametrize("code", [0, 1, 2, 75])
def test_the_exit_code_is_the_childs(code: int, start: Start) -> None:
    """And None as long as it runs."""
    child = start("import sys; sys.exit(int(sys.argv[1]))", str(code))
    assert ended(child) == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_signal_is_an_exit_code_as_shells_have_it(
    number: signal.Signals, start: Start
) -> None:
    """128 and the number."""
    child = start("import time; time.sleep(60)")
    assert child.exit_code is None
    child.send(number)
    assert ended(child) == 128 + number


def test_a_signal_to_a_child_that_has_ended_is_no_fault(start: Start) -> None:
    """Its number may belong to another process by then."""
    child = start("")
    assert ended(child) == 0
    child.send(signal.SIGKILL)
    assert child.exit_code == 0


def test_waiting_ends_at_the_deadline(start: Start) -> None:
    """Also if that has passed already."""
    child = start("import time; time.sleep(60)")
    begun = time.monotonic()
    assert not child.wait(begun + 0.1)
    assert not child.wait(begun - 100)
    assert 0.1 <= time.monotonic() - begun < 30
    assert child.exit_code is None


def test_its_last_words_are_what_was_fatal(start: Start) -> None:
    """The first such line: others may follow from it."""
    child = start(
        """
        print("fatal flaw? no: that is not at the start of a line with the mark")
        print("joining")
        print("fatal: --port is 0; it must be >= 1.")
        print("fatal: and so on")
        for number in range(100):
            print("noise", number)
        """
    )
    ended(child)
    assert child.last_words() == "--port is 0; it must be >= 1."


def test_without_a_fatal_line_its_last_words_are_the_end_of_its_log(
    start: Start,
) -> None:
    """Five lines, from a line of their own on; bytes that are no text are no fault."""
    child = start(
        r"""
        import os, sys
        for number in range(20):
            print("line", number, flush=True)
        os.write(2, b"caf\xe9\n")
        os.abort()
        """
    )
    assert ended(child) == 128 + signal.SIGABRT
    first, *lines = child.last_words().splitlines()
    assert first == ""
    assert lines == [
        *(f"line {number}" for number in range(16, 20)),
        "caf\N{REPLACEMENT CHARACTER}",
    ]


def test_a_child_that_said_nothing_has_no_last_words(start: Start) -> None:
    """And that is no fault."""
    child = start("import sys; sys.exit(9)")
    ended(child)
    assert child.last_words() == ""


def test_a_second_child_appends_to_the_log_of_the_first(start: Start) -> None:
    """But what the first said is not its last word."""
    first = start("print('fatal: of the first')")
    ended(first)
    second = start("print('all is well')")
    ended(second)
    assert second.log.read_text() == "fatal: of the first\nall is well\n"
    assert second.last_words() == "\nall is well"


def test_end_all_lets_children_finish_their_work(start: Start) -> None:
    """All at the same time; each ends with its own code."""
    # No handler: it could run in the midst of the output of "ready".
    body = """
        import signal, sys
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        print("ready", flush=True)
        signal.sigwait([signal.SIGTERM])
        print("saved")
        sys.exit(143)
        """
    children = [start(body, name=f"actor-{number}") for number in range(3)]
    wait_until(lambda: all("ready" in child.log.read_text() for child in children))
    end_all(children, grace_s=30)
    assert [child.exit_code for child in children] == [143] * 3
    said = [child.log.read_text() for child in children]
    assert said == ["ready\nsaved\n"] * 3


def test_end_all_kills_what_does_not_end(start: Start) -> None:
    """After one grace time for all, not one for each."""
    children = [start(STUBBORN, name=f"actor-{number}") for number in range(4)]
    wait_until(lambda: all("ready" in child.log.read_text() for child in children))
    begun = time.monotonic()
    end_all(children, grace_s=1)
    assert [child.exit_code for child in children] == [128 + signal.SIGKILL] * 4
    # One after another they would take 4 s.
    assert 1 <= time.monotonic() - begun < 4


def test_end_all_of_children_that_have_ended(start: Start) -> None:
    """Nothing is left to do, and their codes stay."""
    children = [start("raise SystemExit(3)"), start("", name="actor-1")]
    assert [ended(child) for child in children] == [3, 0]
    end_all(children, grace_s=0)
    assert [child.exit_code for child in children] == [3, 0]


_PARENT = """
import pathlib, sys, time
from launch.children import Child
from launch.role import Role
child = Child(Role("actor-0", "actor_0", []), *map(pathlib.Path, ("logs", ".")))
print(child._process.pid, flush=True)
time.sleep(60)
"""


def test_a_child_ends_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    """A launcher that is killed leaves nothing behind."""
    stand_in(
        tmp_path,
        "actor-0",
        """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended with its parent"))
        print("ready", flush=True)
        while True:
            time.sleep(60)
        """,
    )
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        try:
            log = tmp_path / "logs" / "actor-0.log"
            wait_until(lambda: log.exists() and "ready" in log.read_text())
            parent.kill()
            parent.wait(30)
            wait_until(lambda: "ended with its parent" in log.read_text())
            with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
                child.wait(30)
            assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
        finally:
            parent.kill()
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
