"""A process of a role on a node of a Ray cluster."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path
from typing import Any, Callable

import ray
import ray.exceptions

from experiment import run_dir
from experiment.errors import EXIT_FAILED, one_line
from launch import child_process
from launch.children import VARIABLES
from launch.ray_runner import GRACE_S, LEASE_S
from launch.role import Role
from reverb_server import figures

_POLL_S = 0.05


class RayChild:
    """A process that a `ray_runner.Runner` runs, as the supervisor knows it.

    Attributes:
      name: Of the role.
      log: What it prints, on this machine.
      is_buried: Whether its end was told.
      is_last: Whether no other one can take its place: of a server that was lost.
      news: What is asked of the runner; None once the process has ended.
      asked_at: When it was asked for, on the monotonic clock.
      is_lost: Whether it has ended with its runner.
    """

    def __init__(
        self,
        role: Role,
        is_restart: bool,
        runner: Any,
        logs_dir: Path,
        poll: Callable[[], None],
    ) -> None:
        """Asks for the process; it begins when the runner has got a place.

        Args:
          role: What to start.
          is_restart: Whether one of this role ran before.
          runner: A handle of the Ray actor.
          logs_dir: Where its log goes.
          poll: Lets all children take what is new, if that is due.
        """
        self.name = role.name
        self.is_buried = self.is_last = False
        self.log = logs_dir / f"{role.name}.log"
        self.asked_at = time.monotonic()
        self._started_at: float | None = None
        self._pid = 0
        self._exit_code: int | None = None
        self._node = ("", "a node not known yet")
        self._lost_by: str | None = None
        self._told_at = self.asked_at  # When news came last.
        self._ends_at: float | None = None
        self._is_spare = role.is_spare
        self._runner = runner
        self._poll = poll
        logs_dir.mkdir(parents=True, exist_ok=True)
        self.log.touch()
        self._log_start = self.log.stat().st_size
        restart = role.restart_arguments if is_restart else ()
        words = [role.module, *role.arguments, *restart]
        self._where = runner.where.remote()
        self.news = runner.start.remote(words, str(Path.cwd()), VARIABLES)

    @property
    def pid(self) -> int:
        """Its process id on its node; 0 while it has no place."""
        return self._pid

    @property
    def started_at(self) -> float:
        """When it was started; now, while it waits for a place."""
        return time.monotonic() if self._started_at is None else self._started_at

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 + the signal's number if a signal ended it."""
        self._poll()
        if self._ends_at is not None and time.monotonic() > self._ends_at:
            self._end(EXIT_FAILED)
        return self._exit_code

    @property
    def is_stopped(self) -> bool:
        """Not known here."""
        return False

    @property
    def is_lost(self) -> bool:
        """Whether its runner is lost, and the process with it."""
        return self._lost_by is not None

    def send(self, number: signal.Signals) -> None:
        """Sends a signal, if it still runs; one without a place does not begin."""
        if self._runner is None:
            return
        if self._pid:
            self._runner.send.remote(int(number))
        else:  # A call would wait for the place; a process that just starts is tied.
            ray.kill(self._runner)
            self._end(128 + number)

    def wait(self, deadline: float) -> bool:
        """Waits until it has ended, at most until `deadline` (monotonic)."""
        while self.exit_code is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def last_words(self) -> str:
        """What it says was fatal, or the end of its log; or how it was lost."""
        return self._lost_by or child_process.last_words(self.log, self._log_start)

    def take(self) -> None:
        """Takes news that have come, and asks for the next ones."""
        try:
            news = ray.get(self.news)
            self._told_at = time.monotonic()
            if self._started_at is None:
                self._node = ray.get(self._where)
        except ray.exceptions.RayError as error:
            self._lose(error)
            return
        if self._started_at is None:
            self._started_at, self._pid = self._told_at, news["pid"]
            node_id, address = self._node
            place = f"process {self._pid} on node {address} ({node_id[:8]})"
            self._log(f"started by Ray as {place}\n".encode())
        self._log(news["output"])
        code = news["exit_code"]
        if code is None:
            self.news = self._runner.news.remote()
        else:
            self._end(code if code >= 0 else 128 - code)

    def _lose(self, error: ray.exceptions.RayError) -> None:
        """Ends without an exit code: the runner does not answer, or cannot start it.

        A process that is cut off may still be at work until its runner sees that. Two
        actors of one number do no harm; with all others, that time is waited for.
        """
        node_id, address = self._node
        is_there = node_id in {each["NodeID"] for each in ray.nodes() if each["Alive"]}
        never_ran = isinstance(error, ray.exceptions.RayTaskError)
        if never_ran:
            self._lost_by = one_line(getattr(error, "cause", error))
        elif is_there:
            self._lost_by = f"Ray's worker on node {address} ended: {one_line(error)}"
        else:
            self._lost_by = f"the node {address} was lost"
        if self.name == figures.SERVER:
            self.is_last = True  # Nobody would find another: its address is the run's.
            self._lost_by += "; once it is back, the run goes on by --resume"
        self._log(f"{self._lost_by}\n".encode())
        with contextlib.suppress(ray.exceptions.RayError):
            ray.kill(self._runner)
        self.news = self._runner = None
        if never_ran or self._is_spare or self.is_last:
            self._end(EXIT_FAILED)
        else:
            self._ends_at = self._told_at + LEASE_S + GRACE_S + _POLL_S

    def _end(self, code: int) -> None:
        self._exit_code, self.news, self._ends_at = code, None, None
        self._runner = None  # Ray ends one that nobody refers to.

    def _log(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # The disk is full: the run goes on.
            run_dir.append_bytes(self.log, data)
