"""Runs the processes of a run on this machine until the run has ended."""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path
from typing import Callable

from experiment import run_dir
from experiment.errors import EXIT_CONFIGURATION, EXIT_FAILED, EXIT_FINISHED
from experiment.interval import Interval
from experiment.process import GRACE_S, StopSignal
from launch.children import Child, Role, end_all
from launch.options import Options
from launch.progress import Progress
from launch.result import FAILED, INTERRUPTED, Outcome

_POLL_S = 0.1
_PROGRESS_S = 3.0

# Seconds that the last evaluation, checkpoint and videos may take after the end.
_END_TIMEOUT_S = 300.0


def describe(options: Options, port: int) -> list[Role]:
    """The processes of a run, the server first.

    Importing TensorFlow takes each of them seconds of a processor. So those that the
    first update does not need start when the server is up (docs/performance.md).
    """
    address = f"--server_address=localhost:{port}"
    server = [
        f"--root_dir={options.root_dir}",
        *(f"--gin_bindings={binding}" for binding in options.gin_bindings),
        f"--num_actors={options.num_actors}",
        f"--port={port}",
        "--port_is_reserved",
        f"--resume={options.resume}",
    ]
    if options.gin_file is not None:
        server.append(f"--gin_file={options.gin_file}")
    if options.seed is not None:
        server.append(f"--seed={options.seed}")
    return [
        Role("reverb_server", "reverb_server", server),
        Role("learner", "learner", [address]),
        Role("eval_job", "eval_job", [address], is_first=False),
        *(
            Role(
                f"actor-{task}",
                "actor",
                [address, f"--task={task}"],
                is_first=task == 0,
            )
            for task in range(options.num_actors)
        ),
    ]


class Supervisor:
    """Starts the processes, watches them, and ends them."""

    def __init__(
        self, options: Options, port: int, started_at: float, say: Callable[[str], None]
    ) -> None:
        """Starts nothing yet.

        Args:
          options: What the run is started with.
          port: Of the server; held by this process.
          started_at: Unix time when the command started.
          say: Shows a line to the user.
        """
        self._roles = describe(options, port)
        self._logs_dir = options.root_dir / run_dir.LOGS_DIR
        self._started_at = started_at
        self._say = say
        self._progress = Progress(options.root_dir / run_dir.METRICS)
        self._manifest = options.root_dir / run_dir.MANIFEST
        self._formerly_written_at = self._written_at()
        self._children: list[Child] = []
        self._failed: Child | None = None
        self._late: str | None = None
        self._finished = False

    def run(self, stop: StopSignal) -> Outcome:
        """Runs until the run has ended.

        Args:
          stop: Ends it early.

        Returns:
          How it ended.
        """
        with tempfile.TemporaryDirectory(prefix="antiphon-") as temporary:
            try:
                self._start(Path(temporary), is_first=True)
                self._watch(stop, lambda: self._start(Path(temporary), is_first=False))
            finally:
                self._end()
        return self._outcome(stop)

    def kill(self) -> None:
        """Kills what is left, for users who cannot wait."""
        for child in self._children:
            child.send(signal.SIGKILL)

    def _start(self, temporary: Path, is_first: bool) -> None:
        for role in self._roles:
            if role.is_first is is_first:
                self._children.append(Child(role, self._logs_dir, temporary))

    def _written_at(self) -> int | None:
        """When the manifest was written, which a server does once it is up."""
        return self._manifest.stat().st_mtime_ns if self._manifest.exists() else None

    def _watch(self, stop: StopSignal, start_others: Callable[[], None]) -> None:
        """Returns when all but the server have finished, or something went wrong."""
        shown = Interval(_PROGRESS_S)
        ended_at: float | None = None
        while not stop.wait(_POLL_S):
            is_up = self._written_at() != self._formerly_written_at
            if is_up and len(self._children) < len(self._roles):
                start_others()
            self._failed = next((c for c in self._children if c.exit_code), None)
            self._finished = is_up and all(c.exit_code == 0 for c in self._children[1:])
            if self._failed or self._finished:
                return
            self._progress.read()
            if ended_at is None and (shown.due() or self._progress.stall_is_new):
                self._say(self._progress.line(time.time() - self._started_at))
            if self._progress.status and ended_at is None:
                ended_at = time.monotonic()
                self._say("the run has ended; last evaluation, checkpoint, videos ...")
            if ended_at and time.monotonic() - ended_at > _END_TIMEOUT_S:
                late = [c.name for c in self._children[1:] if c.exit_code is None]
                self._late = (
                    f"{', '.join(late)} did not end {_END_TIMEOUT_S:.0f} s after"
                )
                return

    def _end(self) -> None:
        """Ends the server last: the others may still need it."""
        end_all(self._children[1:], GRACE_S + 2)
        end_all(self._children[:1], GRACE_S + 2)
        self._progress.read()

    def _outcome(self, stop: StopSignal) -> Outcome:
        if self._failed:
            code = self._failed.exit_code
            configuration = code == EXIT_CONFIGURATION
            return Outcome(
                FAILED,
                EXIT_CONFIGURATION if configuration else EXIT_FAILED,
                f"{self._failed.name} failed (exit code {code}, log "
                f"{self._failed.log}): {self._failed.last_words()}",
            )
        if stop.is_set() and not self._finished:
            return Outcome(INTERRUPTED, stop.exit_code)
        status = self._progress.status
        if self._late or status is None:
            error = self._late or "all processes ended, but nobody said why"
            return Outcome(FAILED, EXIT_FAILED, error)
        return Outcome(status, EXIT_FINISHED)
