"""Watches whether the environments of an actor come back from what they are at."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Callable

from tf_agents.environments import py_environment, wrappers
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment.recovery import Recovery

# Seconds between two looks, seconds after which the log says that an environment
# stalls, and until it says so again.
LOOK_S = 1.0
PATIENCE_S = 10.0
_REPEAT_S = 30.0


class Watchdog:
    """Names an environment that stalls, and ends the process if it goes on stalling.

    It looks every second, in a thread of its own, and adds up the time that passes
    between its looks. So time in which the whole process stands still (a suspended
    computer, a debugger) does not count. While an environment keeps Python's lock, no
    thread can look.
    """

    def __init__(
        self,
        task: int,
        timeout_s: float,
        report: Callable[..., None],
        fail: Callable[[str], None],
    ) -> None:
        """Watches nothing yet.

        Args:
          task: Number of the actor.
          timeout_s: Seconds after which a call that does not come back is the end.
          report: Takes figures for the telemetry.
          fail: Ends the process, with a line that says why.
        """
        self._task = task
        self._timeout_s = timeout_s
        self._report = report
        self._fail = fail
        self._calls = 0
        self._doing: str | None = None
        self._recovery: Recovery | None = None
        self._seen_calls = 0
        self._looked_at = time.monotonic()
        self._stalled_s = 0.0
        self._warn_at_s = PATIENCE_S

    def watch(self, recovery: Recovery) -> None:
        """Hears who knows which environment is active."""
        self._recovery = recovery

    @contextlib.contextmanager
    def inside(self, doing: str) -> Iterator[None]:
        """Watches a call.

        Args:
          doing: What of the environment is called, in words.
        """
        self.enter(doing)
        try:
            yield
        finally:
            self.leave()

    def enter(self, doing: str) -> None:
        """Hears that a call begins; `inside` costs ten times as much as these two."""
        self._calls += 1
        self._doing = doing

    def leave(self) -> None:
        """Hears that the call came back."""
        self._doing = None

    def run(self) -> None:
        """Looks for as long as the process lives, the end of the run or not."""
        while True:
            time.sleep(LOOK_S)
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Looks whether the call of the last look is still not back.

        Args:
          now: Seconds on a clock that only goes forwards.
        """
        passed_s = min(now - self._looked_at, 2 * LOOK_S)
        calls, doing = self._calls, self._doing
        if doing is None or calls != self._seen_calls:
            self._stalled_s, self._warn_at_s = 0.0, PATIENCE_S
        else:
            self._stalled_s += passed_s
            self._bark(doing)
        self._seen_calls, self._looked_at = calls, now
        stalls = self._stalled_s >= PATIENCE_S
        self._report(environment_stalled_s=round(self._stalled_s) if stalls else 0)

    def _bark(self, doing: str) -> None:
        """Says that an environment stalls, or ends the process."""
        number = self._recovery.active if self._recovery else None
        who = "an environment" if number is None else f"environment {number}"
        what = f"{who} of actor {self._task} has been in {doing} for"
        if self._stalled_s >= self._timeout_s:
            self._fail(
                f"{what} {self._stalled_s:.0f} s, longer than "
                f"Collect.environment_timeout_s ({self._timeout_s:g} s); mend it, or "
                "raise the setting if it may take so long."
            )
        elif self._stalled_s >= self._warn_at_s:
            self._warn_at_s += _REPEAT_S
            logging.warning(
                "%s %.0f s; look what it waits for (a port, a lock, a file, input); "
                "after %g s this actor ends (Collect.environment_timeout_s)",
                what,
                self._stalled_s,
                self._timeout_s,
            )


class WatchedEnvironment(wrappers.PyEnvironmentBaseWrapper):
    """A batch of environments that tells a watchdog what it is at."""

    def __init__(self, batch: py_environment.PyEnvironment, watchdog: Watchdog) -> None:
        """Takes a batch made by `environments.batched`."""
        super().__init__(batch)
        self._watchdog = watchdog
        watchdog.watch(batch.recovery)

    def time_step_spec(self) -> ts.TimeStep:
        """Of one environment."""
        return self._env.time_step_spec()

    def _reset(self) -> ts.TimeStep:
        with self._watchdog.inside("reset()"):
            return self._env.reset()

    def _step(self, action: types.NestedArray) -> ts.TimeStep:
        self._watchdog.enter("step()")
        try:
            return self._env.step(action)
        finally:
            self._watchdog.leave()
