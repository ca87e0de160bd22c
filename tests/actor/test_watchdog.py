"""actor/watchdog.py: an environment that stalls is named, and is the end in time."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actor.watchdog import Watchdog, WatchedEnvironment
from experiment import environments
from experiment.recovery import Recovery
from tests.faults import faulty_environments

ROOT = Path(__file__).parents[2]


class Watched:
    """A watchdog that looks each second of a clock that the test moves."""

    def __init__(self, timeout_s: float = 300.0) -> None:
        self.now = time.monotonic()
        self.stalled_s: list[int] = []
        self.failed: list[str] = []
        self.watchdog = Watchdog(1, timeout_s, self.report, self.failed.append)

    def report(self, environment_stalled_s: int) -> None:
        """Keeps the figure."""
        self.stalled_s.append(environment_stalled_s)

    def look(self, seconds: int) -> None:
        """Looks so many times."""
        for _ in range(seconds):
            self.now += 1.0
            self.watchdog.look(self.now)


def test_a_call_that_comes_back_is_not_worth_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """However many of them there are, and however long nothing is called."""
    watched = Watched()
    for _ in range(20):
        with watched.watchdog.inside("step()"):
            watched.look(9)
    watched.look(1_000)
    assert set(watched.stalled_s) == {0}
    assert not caplog.messages
    assert not watched.failed


def test_calls_of_which_each_look_sees_another_one_do_not_stall() -> None:
    """The environments are always inside, but never for long."""
    watched = Watched()
    for _ in range(400):
        watched.watchdog.enter("step()")
        watched.look(1)
        watched.watchdog.leave()
    assert set(watched.stalled_s) == {0}


def test_an_environment_that_stalls_is_named_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After 10 s and then every 30; the telemetry has the seconds."""
    watched, recovery = Watched(), Recovery()
    watched.watchdog.watch(recovery)
    recovery.active = 3
    watched.watchdog.enter("step()")
    watched.look(101)
    assert watched.stalled_s == [0] * 10 + list(range(10, 101))
    said = [message.partition(";")[0] for message in caplog.messages]
    assert said == [
        f"environment 3 of actor 1 has been in step() for {seconds} s"
        for seconds in (10, 40, 70, 100)
    ]
    assert "after 300 s this actor ends (Collect.environment_timeout_s)" in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    watched.watchdog.leave()
    watched.look(2)
    assert watched.stalled_s[-2:] == [0, 0]
    assert not watched.failed


def test_the_next_stall_is_counted_from_its_own_beginning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also if no look fell between the two."""
    watched = Watched()
    for _ in range(2):
        watched.watchdog.enter("reset()")
        watched.look(12)
        watched.watchdog.leave()
    assert watched.stalled_s == [*[0] * 10, 10, 11] * 2
    said = [message.partition(";")[0] for message in caplog.messages]
    assert said == ["an environment of actor 1 has been in reset() for 10 s"] * 2


def test_the_process_ends_after_the_timeout() -> None:
    """With one line that names the environment, the setting and the remedy."""
    watched, recovery = Watched(timeout_s=25.5), Recovery()
    watched.watchdog.watch(recovery)
    recovery.active = 0
    watched.watchdog.enter("reset()")
    watched.look(26)
    assert not watched.failed
    watched.look(1)
    assert watched.failed == [
        "environment 0 of actor 1 has been in reset() for 26 s, longer than "
        "Collect.environment_timeout_s (25.5 s); mend it, or raise the setting if it "
        "may take so long."
    ]


def test_time_in_which_the_whole_process_stood_still_does_not_count() -> None:
    """A suspended computer is no stalled environment."""
    watched = Watched()
    watched.watchdog.enter("step()")
    watched.look(5)
    watched.now += 10_000
    watched.look(5)
    assert not watched.failed
    assert set(watched.stalled_s) == {0, 10}


@pytest.mark.parametrize("quick", [True, False])
def test_the_active_environment_is_known_from_outside(quick: bool) -> None:
    """Of either batch, while one of its environments really stalls."""
    stalls, goes_on = threading.Event(), threading.Event()
    made: list[Any] = []

    class Stalling(faulty_environments.Faulty):
        def step(self, action: Any) -> Any:
            if self is made[-1]:
                stalls.set()
                goes_on.wait(20)
            return self.env.step(action)

    def make() -> Any:
        made.append(Stalling())
        return made[-1]

    def factory() -> Any:
        return faulty_environments._environment(make, quick)

    batch = environments.batched(factory, 3, np.random.SeedSequence(0))
    watched = Watched()
    environment = WatchedEnvironment(batch, watched.watchdog)
    assert environment.time_step_spec() == batch.time_step_spec()
    assert environment.reset().is_first().all()
    actions = np.zeros(3, np.int64)
    thread = threading.Thread(target=environment.step, args=[actions], daemon=True)
    thread.start()
    assert stalls.wait(20)
    watched.look(302)
    assert watched.failed[0].startswith("environment 2 of actor 1 has been in step()")
    goes_on.set()
    thread.join(20)
    watched.look(1)
    assert watched.stalled_s[-1] == 0
    assert environment.step(actions).step_type.tolist() == [1, 1, 1]


STALLS = """
import functools, sys, time
import numpy as np
from actor import watchdog
from experiment import environments, process
from tests.faults import faulty_environments
guard = watchdog.Watchdog(4, 0.3, lambda **_: None, process.fail)
watchdog.LOOK_S = 0.05
process.start_thread("environment watchdog", guard.run)
factory = functools.partial(faulty_environments.stalling_cartpole, 1.0)
batch = environments.batched(factory, 2, np.random.SeedSequence(0))
environment = watchdog.WatchedEnvironment(batch, guard)
environment.reset()
environment.step(np.zeros(2, np.int64))
"""


def test_a_process_that_really_stalls_ends() -> None:
    """By itself, as failed, and says why in its last line."""
    ended = subprocess.run(
        [sys.executable, "-c", STALLS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(
        "fatal: environment 0 of actor 4 has been in step() for 0 s, longer than "
    )
