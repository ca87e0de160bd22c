"""Runs the processes of a run until the run has ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

from experiment import changes, run_dir, run_status
from experiment.errors import EXIT_CONFIGURATION, EXIT_FAILED, EXIT_FINISHED
from experiment.interval import Interval
from experiment.process import GRACE_S, StopSignal
from launch import roles, screen
from launch.child_process import ChildProcess
from launch.children import end_all
from launch.failures import Failures
from launch.options import Options
from launch.progress import Progress
from launch.result import Outcome
from launch.role import Role
from launch.state import RunState, of_actors_elsewhere, of_worker, run_state
from launch.view import View
from launch.worker import Leaving, Start, Worker
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


def start_patience_s(processes: int) -> float:
    """Seconds until a process is heard of at the latest, if so many start together."""
    return _START_S + _START_OF_EACH_S * processes / len(os.sched_getaffinity(0))


class Supervisor:
    """Starts the processes, watches them, starts them again, and ends them."""

    def __init__(
        self,
        options: Options,
        address: str,
        start: Start,
        view: View,
        shard_ports: Sequence[int] = (),
    ) -> None:
        """Starts nothing yet.

        Args:
          options: What the run is started with.
          address: host:port of the server, for all others; the port is held for it.
          start: Starts a process.
          view: Where the user looks.
          shard_ports: Of the further replay servers, on the server's host; held too.
        """
        self._options = options
        self._shard_ports = shard_ports
        self._address = address
        self._start = start
        self._view = view
        self._progress = Progress(options.root_dir)
        self._workers: list[Worker] = []
        self._leaving: list[Leaving] = []
        self._elsewhere = range(options.actors_here, options.num_actors)
        self._failures = Failures(options.root_dir, view.warn)
        self._late: str | None = None
        self._finished = False
        self._is_unsettled = options.resume
        self._told_device: str | None = None

    def run(self, stop: StopSignal) -> Outcome:
        """Runs until the run has ended.

        Args:
          stop: Ends it early.

        Returns:
          How it ended.
        """
        described = roles.describe(self._options, self._address, self._shard_ports)
        self._workers = [self._worker(role) for role in described]
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

    def _worker(self, role: Role) -> Worker:
        return Worker(role, self._start, self._options.max_restarts)

    def _children(self) -> list[ChildProcess]:
        """The newest process of each role, the server's first."""
        leaving = [each.child for each in self._leaving]
        return [each.child for each in self._workers if each.child] + leaving

    def _watch(self, stop: StopSignal) -> None:
        """Returns when all but the server have finished, or something went wrong."""
        shown = Interval(self._view.interval_s)
        ended_at: float | None = None
        while True:
            if not self._look_after_all() or stop.wait(_POLL_S):
                return
            others = [each for each in self._workers if not each.role.serves]
            needed = [each for each in others if not each.role.is_spare]
            if all(worker.has_finished for worker in needed or others):
                self._finished = True
                return
            self._progress.read()
            self._scale()
            self._tell_changes()
            self._tell_device()
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

    def _scale(self) -> None:
        """Adds or ends actors until they are as many as the server says."""
        self._leaving = [each for each in self._leaving if not each.has_ended()]
        actors = {
            each.role.task: each
            for each in self._workers
            if each.role.module == figures.ACTOR
        }
        num_actors = self._progress.figure(figures.SERVER, "num_actors")
        if num_actors is None or self._progress.status:
            return
        wanted = [task for task in range(num_actors) if task not in self._elsewhere]
        # If some are leaving, one of these numbers may be still at work.
        if wanted == sorted(actors) or self._leaving:
            return
        self._view.say(f"scaled from {len(actors)} to {len(wanted)} actors")
        for task in sorted(set(wanted) - set(actors)):
            self._workers.append(self._worker(roles.actor(task, self._address)))
        for task in sorted(set(actors) - set(wanted)):
            self._workers.remove(actors[task])
            child = actors[task].child
            if child:
                self._leaving.append(Leaving(child))

    def _state(self) -> RunState:
        states = [of_worker(worker, self._progress) for worker in self._workers]
        if self._progress.status is None:
            states += of_actors_elsewhere(self._progress, self._elsewhere)
        return run_state(self._progress, states)

    def _tell_changes(self) -> None:
        """Says once, when the server is up, what a resume has changed."""
        if not self._is_unsettled or not self._progress.heard_at(figures.SERVER, 0):
            return
        self._is_unsettled = False
        for change in run_dir.read_manifest(self._options.root_dir).changes:
            self._view.say(f"changed by this resume: {change}")

    def _tell_device(self) -> None:
        """Says what the learner trains on, once it is known; and if that changes."""
        device = self._progress.figure(figures.LEARNER, "device")
        if device and device != self._told_device:
            self._told_device = device
            self._view.say(f"the learner trains on {device}")

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

    def _kill_if_hung(self, role: Role, child: ChildProcess) -> None:
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

    def _patience_s(self, child: ChildProcess, heard_at: float | None) -> float:
        """Seconds for which a process may be silent."""
        if child.is_stopped:
            return _SILENCE_S
        if heard_at is None:
            return start_patience_s(len(self._workers))
        return max(_BUSY_S, self._environment_timeout_s() + _SILENCE_S)

    def _environment_timeout_s(self) -> float:
        """After which an actor itself says that an environment hangs."""
        config = self._options.root_dir / run_dir.CONFIG
        found = changes.values(config.read_text()) if config.exists() else {}
        return float(found.get("Collect.environment_timeout_s", 0.0))

    def _end(self) -> None:
        """Ends the servers last: the others may still need them."""
        children = self._children()
        names = {each.role.name for each in self._workers if each.role.serves}
        serving = [child for child in children if child.name in names]
        end_all([each for each in children if each not in serving], GRACE_S + 2)
        end_all(serving, GRACE_S + 2)
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
