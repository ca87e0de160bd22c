"""Runs the processes of a run on this machine until the run has ended."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from pathlib import Path

import psutil

from experiment import changes, run_dir, run_status
from experiment.errors import EXIT_CONFIGURATION, EXIT_FAILED, EXIT_FINISHED
from experiment.interval import Interval
from experiment.process import GRACE_S, StopSignal
from launch import screen
from launch.children import Child, Role, end_all
from launch.failures import Failures
from launch.options import Options
from launch.progress import Progress
from launch.result import Outcome
from launch.state import RunState, of_actors_elsewhere, of_worker, run_state
from launch.view import View
from launch.worker import Worker
from reverb_server import figures

_POLL_S = 0.1

# Seconds that the last evaluation, checkpoint and videos may take after the end.
_END_TIMEOUT_S = 300.0

# Seconds without figures of a process after which it is taken for hung: if it has been
# stopped by a signal; if it runs, since a library may keep Python's lock for so long;
# and if it has not sent any yet, with each process that shares a processor with it.
_SILENCE_S = 60.0
_BUSY_S = 300.0
_START_S = 120.0
_START_OF_EACH_S = 20.0

# Seconds that a process has to live until it is taken for well again.
_RECOVERED_S = 30.0


def describe(options: Options, port: int) -> list[Role]:
    """The processes of a run, the server first.

    They start side by side. But importing TensorFlow takes each of them seconds of a
    processor: actors that the first update can do without wait until the server is up.
    So a wrong configuration, which it tells, is told before hundreds are started.
    """
    at_first = len(os.sched_getaffinity(0))
    address = f"--server_address=localhost:{port}"
    server = _server_flags(options, port)
    return [
        Role("reverb_server", "reverb_server", server, ["--is_restart"]),
        Role("learner", "learner", [address]),
        Role("eval_job", "eval_job", [address]),
        *(
            Role(
                figures.process_name(figures.ACTOR, task),
                "actor",
                [address, f"--task={task}"],
                task=task,
                waits_for_server=task >= at_first,
                is_spare=True,
            )
            for task in range(options.actors_here)
        ),
    ]


def _server_flags(options: Options, port: int) -> list[str]:
    """What the server is started with; all others learn it from there."""
    server = [
        f"--root_dir={options.root_dir}",
        *(f"--gin_bindings={binding}" for binding in options.gin_bindings),
        f"--num_actors={options.num_actors}",
        f"--port={port}",
        "--is_supervised",
        f"--resume={options.resume}",
        f"--discard_replay={options.discard_replay}",
    ]
    if options.gin_file is not None:
        server.append(f"--gin_file={options.gin_file}")
    if options.seed is not None:
        server.append(f"--seed={options.seed}")
    if options.metrics_address is not None:
        host, metrics_port = options.metrics_address
        server += [f"--metrics_host={host}", f"--metrics_port={metrics_port}"]
    return server


class Supervisor:
    """Starts the processes, watches them, starts them again, and ends them."""

    def __init__(self, options: Options, port: int, view: View) -> None:
        """Starts nothing yet.

        Args:
          options: What the run is started with.
          port: Of the server; held by this process.
          view: Where the user looks.
        """
        self._roles = describe(options, port)
        self._options = options
        self._view = view
        self._progress = Progress(options.root_dir)
        self._workers: list[Worker] = []
        self._failures = Failures(options.root_dir, view.warn)
        self._late: str | None = None
        self._finished = False
        self._is_unsettled = options.resume

    def run(self, stop: StopSignal) -> Outcome:
        """Runs until the run has ended.

        Args:
          stop: Ends it early.

        Returns:
          How it ended.
        """
        logs_dir = self._options.root_dir / run_dir.LOGS_DIR
        with tempfile.TemporaryDirectory(prefix="antiphon-") as temporary:
            self._workers = [
                Worker(role, logs_dir, Path(temporary), self._options.max_restarts)
                for role in self._roles
            ]
            try:
                self._watch(stop)
                self._progress.read()
                outcome = self._outcome(stop)
            finally:
                if stop.is_set():
                    self._view.say(screen.STOPPED)
                self._end()
                self._progress.read()
                self._view.show_last(self._state())
        return outcome

    def kill(self) -> None:
        """Kills what is left, for users who cannot wait."""
        for child in self._children():
            child.send(signal.SIGKILL)

    def _children(self) -> list[Child]:
        """The newest process of each role, the server's first."""
        return [worker.child for worker in self._workers if worker.child]

    def _watch(self, stop: StopSignal) -> None:
        """Returns when all but the server have finished, or something went wrong."""
        shown = Interval(self._view.interval_s)
        ended_at: float | None = None
        while True:
            if not self._look_after_all() or stop.wait(_POLL_S):
                return
            needed = [each for each in self._workers[1:] if not each.role.is_spare]
            if all(worker.has_finished for worker in needed or self._workers[1:]):
                self._finished = True
                return
            self._progress.read()
            self._tell_changes()
            for line in self._progress.take_news():
                self._view.warn(line)
            if shown.due():
                self._view.show(self._state())
            if self._progress.status and ended_at is None:
                ended_at = time.monotonic()
                self._view.say(screen.ENDED)
            if ended_at and time.monotonic() - ended_at > _END_TIMEOUT_S:
                late = [each.role.name for each in needed if not each.has_finished]
                self._late = (
                    f"{', '.join(late)} did not end {_END_TIMEOUT_S:.0f} s after"
                )
                return

    def _state(self) -> RunState:
        states = [of_worker(worker, self._progress) for worker in self._workers]
        if self._progress.status is None:
            elsewhere = range(self._options.actors_here, self._options.num_actors)
            states += of_actors_elsewhere(self._progress, elsewhere)
        return run_state(self._progress, states)

    def _tell_changes(self) -> None:
        """Says once, when the server is up, what a resume has changed."""
        if not self._is_unsettled or not self._progress.heard_at(figures.SERVER, 0):
            return
        self._is_unsettled = False
        for change in run_dir.read_manifest(self._options.root_dir).changes:
            self._view.say(f"changed by this resume: {change}")

    def _look_after_all(self) -> bool:
        """Starts what is due; returns whether the run can go on."""
        # Whoever looks at the screen may have held us up.
        self._progress.read()
        has_ended = self._progress.status is not None
        is_up = self._progress.heard_at(figures.SERVER, 0) is not None
        for worker in self._workers:
            role, child = worker.role, worker.child
            if role.waits_for_server and not is_up:
                continue
            if child and child.exit_code is None:
                self._kill_if_hung(role, child)
            wanted = not (has_ended and role.is_spare)
            has_worked = child is not None and self._progress.has_worked(
                role.module, role.task, child.pid
            )
            failure = worker.look(wanted, has_worked)
            if failure is None:
                continue
            self._failures.note(failure)
            if failure.restart_in_s is None and wanted:
                return False
        return True

    def _kill_if_hung(self, role: Role, child: Child) -> None:
        """Ends a process that nothing was heard of, while others are heard."""
        now = time.monotonic()
        heard_at = self._progress.heard_at(role.module, role.task, child.pid)
        server_at = self._progress.heard_at(figures.SERVER, 0)
        if role.module == figures.SERVER:
            heard_at = max(heard_at or 0.0, self._progress.touched_at()) or None
        elif server_at is None or now - server_at > _SILENCE_S / 2:
            return
        silent_s = now - max(heard_at or 0.0, child.started_at)
        if silent_s > _SILENCE_S and silent_s > self._patience_s(child, heard_at):
            self._view.warn(
                f"{role.name} has been silent for {silent_s:.0f} s: killing it."
            )
            child.send(signal.SIGKILL)
            child.wait(time.monotonic() + GRACE_S)

    def _patience_s(self, child: Child, heard_at: float | None) -> float:
        """Seconds for which a process may be silent."""
        with contextlib.suppress(psutil.Error):
            if psutil.Process(child.pid).status() == psutil.STATUS_STOPPED:
                return _SILENCE_S
        if heard_at is None:
            sharing = len(self._roles) / len(os.sched_getaffinity(0))
            return _START_S + _START_OF_EACH_S * sharing
        return max(_BUSY_S, self._environment_timeout_s() + _SILENCE_S)

    def _environment_timeout_s(self) -> float:
        """After which an actor itself says that an environment hangs."""
        config = self._options.root_dir / run_dir.CONFIG
        found = changes.values(config.read_text()) if config.exists() else {}
        return float(found.get("Collect.environment_timeout_s", 0.0))

    def _end(self) -> None:
        """Ends the server last: the others may still need it."""
        children = self._children()
        end_all(children[1:], GRACE_S + 2)
        end_all(children[:1], GRACE_S + 2)
        for child in children:  # None is started again, whatever it ended with.
            child.is_buried = True

    def _outcome(self, stop: StopSignal) -> Outcome:
        """How the run ended, as long as its processes are as they were then."""
        fatal = self._failures.fatal
        if self._late:
            return Outcome(run_status.FAILED, EXIT_FAILED, self._late)
        if fatal and not self._finished:
            now = time.monotonic()
            recovered = {
                child.name
                for child in self._children()
                if child.exit_code is None and now - child.started_at > _RECOVERED_S
            }
            is_configuration = fatal.exit_code == EXIT_CONFIGURATION
            code = EXIT_CONFIGURATION if is_configuration else EXIT_FAILED
            return Outcome(run_status.FAILED, code, self._failures.why(recovered))
        if not self._finished:
            return Outcome(run_status.INTERRUPTED, stop.exit_code)
        if self._progress.status is None:
            error = "all processes ended, but nobody said why"
            return Outcome(run_status.FAILED, EXIT_FAILED, error)
        return Outcome(self._progress.status, EXIT_FINISHED)
