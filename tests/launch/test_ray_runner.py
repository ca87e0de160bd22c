"""launch/ray_runner.py: a process through a runner, here without Ray around it."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from launch import ray_runner
from launch.ray_runner import Runner
from tests.launch.a_run import CHECKOUT, stand_in
from tests.reverb_server.waiting import wait_until

_UP = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def runner() -> Iterator[Runner]:
    """One whose process does not stay."""
    made = Runner(str(CHECKOUT))
    yield made
    made.send(signal.SIGKILL)


def start(runner: Runner, folder: Path, body: str) -> dict[str, Any]:
    """Starts a stand-in; returns the first news."""
    role = stand_in(folder, "actor-0", body)
    return runner.start([role.module, "--flag"], str(folder), {"MINE": "1"})


def rest(runner: Runner, news: dict[str, Any]) -> tuple[str, int]:
    """All that the process has printed and will print, and its exit code."""
    output = news["output"]
    while news["exit_code"] is None:
        news = runner.news()
        output += news["output"]
    return output.decode(), news["exit_code"]


def test_all_that_a_process_prints_is_told_before_its_end(
    runner: Runner, tmp_path: Path
) -> None:
    """Much of it, too; it runs in the folder, with the flags and variables given."""
    body = """
    import os, sys
    print(os.getcwd(), sys.argv[1:], os.environ["MINE"])
    print("x" * 300_000, file=sys.stderr)
    sys.exit("last words")
    """
    output, code = rest(runner, start(runner, tmp_path, body))
    assert code == 1
    lines = output.splitlines()
    assert lines == [f"{tmp_path} ['--flag'] 1", "x" * 300_000, "last words"]


def test_a_signal_reaches_the_process_and_another_can_follow(
    runner: Runner, tmp_path: Path
) -> None:
    """Of one role, one after another."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        news = start(runner, tmp_path, _UP)
        assert psutil.Process(news["pid"]).is_running()
        runner.send(number)
        assert rest(runner, news)[1] == -number
        runner.send(number)  # To nobody.


@pytest.mark.parametrize("listens", [True, False])
def test_a_process_of_which_nobody_asks_ends(
    listens: bool, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runner is cut off, and another one may be about to take its place."""
    monkeypatch.setattr(ray_runner, "LEASE_S", 2.0)
    monkeypatch.setattr(ray_runner, "GRACE_S", 2.0)
    deaf = "" if listens else "import signal; signal.signal(15, signal.SIG_IGN)\n"
    pid = start(runner, tmp_path, deaf + _UP)["pid"]
    wait_until(lambda: runner._exit_code is not None)
    assert not psutil.pid_exists(pid)
    assert runner.news()["exit_code"] == -(
        signal.SIGTERM if listens else signal.SIGKILL
    )


def test_a_node_without_room_for_temporary_files_is_told(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once: nobody waits for a process that will not begin."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
    monkeypatch.setattr(ray_runner, "_BEGIN_S", 30.0)
    with pytest.raises(FileNotFoundError, match="full"):
        start(runner, tmp_path, _UP)


def test_a_process_that_does_not_begin_is_told(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk of its node does not answer, say."""
    monkeypatch.setattr(ray_runner, "_BEGIN_S", 0.1)
    monkeypatch.setattr(runner, "_live", lambda *_: None)
    with pytest.raises(TimeoutError, match="actor_0 has not begun within 0 s"):
        start(runner, tmp_path, _UP)


def test_a_node_without_the_checkout_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="must lie at the same place on all"):
        Runner(str(tmp_path)).start(["actor"], str(tmp_path), {})
