"""What a run is doing at one moment, for those who show it."""

from __future__ import annotations

import dataclasses
import enum
import signal
import time
from collections.abc import Iterable, Sequence
from typing import Callable

from experiment import process
from experiment.errors import EXIT_FINISHED
from launch.child_process import ChildProcess
from launch.held_back import held_back
from launch.progress import Progress
from launch.worker import Worker
from reverb_server import figures

# Each process sends a row every 2 seconds; after so many seconds without one, it is
# called silent. `stall` in the metrics is more patient.
_SILENT_S = 10.0

# The share of its time from which on a process is said to wait.
_WAITING = 0.5

# Exit codes of a process that was through, or that the launcher has ended.
_ENDED = (EXIT_FINISHED, 128 + signal.SIGTERM)


class Life(enum.Enum):
    """What a process is doing, in the words that are shown; the worst come first."""

    FAILED = "failed"
    RESTARTING = "restarting"
    SILENT = "silent"
    STARTING = "starting"
    WAITING = "waiting"
    RUNNING = "running"
    ENDING = "ending"
    FINISHED = "finished"


_OVER = {Life.FAILED, Life.FINISHED}


@dataclasses.dataclass(frozen=True)
class ProcessState:
    """One process of a run.

    Attributes:
      role: Of the process.
      task: Number within the role.
      name: As the launcher has it, and its log.
      life: What it is doing.
      restart_in_s: Seconds until it is started again, if it is `RESTARTING`.
      restarts: How often it was started again.
      per_s: Environment steps or updates a second; None if it is not at work.
      waited: Share of its time that it has waited lately; None if that is not known.
      cpu_percent: Of one core.
      memory_mb: In MiB.
      silent_s: Seconds since it was heard of; None if it never was.
    """

    role: str
    task: int
    name: str
    life: Life
    restart_in_s: float | None = None
    restarts: int = 0
    per_s: float | None = None
    waited: float | None = None
    cpu_percent: float | None = None
    memory_mb: float | None = None
    silent_s: float | None = None


# What is said of a process that is missing.
_MISSING: dict[Life, Callable[[ProcessState], str]] = {
    Life.FAILED: lambda each: f"{each.name} has failed, its log says why",
    Life.RESTARTING: lambda each: (
        f"{each.name} has died"
        if each.restart_in_s is None
        else f"{each.name} has died, and is started again in {each.restart_in_s:.0f} s"
    ),
    Life.SILENT: lambda each: (
        f"{each.name} has not been heard of for {each.silent_s or 0:.0f} s"
    ),
    Life.STARTING: lambda each: f"{each.name} has been started again, and loads",
}


@dataclasses.dataclass(frozen=True)
class RunState:
    """A run.

    Attributes:
      seconds: Since the start of the command.
      progress: The figures.
      processes: All of them, the server first.
    """

    seconds: float
    progress: Progress
    processes: Sequence[ProcessState]

    @property
    def seconds_left(self) -> float | None:
        """Until all train steps are done, at the rate of the last seconds."""
        if self.per_s(figures.LEARNER) is None:
            return None
        done = self.progress.figure(figures.LEARNER, "train_step")
        last = self.progress.figure(figures.LEARNER, "max_train_steps")
        per_s = self.progress.growth_per_s(figures.LEARNER, "train_step")
        if done is None or last is None or not per_s or self.progress.status:
            return None
        return float((last - done) / per_s)

    @property
    def headline(self) -> str:
        """What the run does now, and what holds it back."""
        progress = self.progress
        if self.processes and {each.life for each in self.processes} <= _OVER:
            return "all processes have ended"
        if progress.status:
            why = progress.status.replace("_", " ")
            return f"ended ({why}): last evaluation, checkpoint, videos ..."
        if self.missing:
            return _MISSING[self.missing.life](self.missing)
        if progress.stall:
            return f"waiting: {progress.stall}"
        return self._phase

    @property
    def _phase(self) -> str:
        """How far a run is that goes as it should."""
        if not self.progress.figure(figures.SERVER, "env_steps"):
            return "starting: the processes load their libraries"
        if not self.progress.figure(figures.LEARNER, "train_step"):
            return f"collecting: {self._before_training}"
        return f"training: {self._held_back}"

    @property
    def missing(self) -> ProcessState | None:
        """Who does not work though the run cannot go on well without it, worst first.

        The server before all others, which are heard of through it. A first start is
        not told: then the run itself starts.
        """
        found = [
            process
            for process in self.processes
            if process.role != figures.ACTOR
            and process.life in _MISSING
            and (process.life is not Life.STARTING or process.restarts)
        ]
        lives = list(Life)
        found.sort(
            key=lambda each: (each.role != figures.SERVER, lives.index(each.life))
        )
        return found[0] if found else None

    def per_s(self, role: str) -> float | None:
        """How fast the server or the learner is; None if it is not at work."""
        return next((each.per_s for each in self.processes if each.role == role), None)

    @property
    def _before_training(self) -> str:
        if (self._waited(figures.LEARNER) or 0.0) >= _WAITING:
            return "the learner waits for the first experience"
        return "the learner still starts"

    @property
    def _held_back(self) -> str:
        actors, learner = self._waited(figures.ACTOR), self._waited(figures.LEARNER)
        if actors is None or learner is None:
            return "who waits for whom is not known yet"
        what, _ = held_back(actors=actors, learner=learner)
        return what

    def _waited(self, role: str) -> float | None:
        """Share of their time that the processes of a role have waited, on average."""
        shares = [
            process.waited
            for process in self.processes
            if process.role == role and process.waited is not None
        ]
        return sum(shares) / len(shares) if shares else None


def run_state(progress: Progress, processes: Iterable[ProcessState]) -> RunState:
    """The state of a run that this process was started for.

    Args:
      progress: The figures, just read.
      processes: See `of_worker` and `of_roles`.
    """
    seconds = time.time() - process.started_at()
    return RunState(seconds, progress, list(processes))


def of_worker(worker: Worker, progress: Progress) -> ProcessState:
    """The state of a process that this one has started."""
    role, child = worker.role, worker.child
    if child is None or child.exit_code is None:
        pid = child.pid if child else None
        state = _of_figures(progress, role.module, role.task, role.name, pid)
        return dataclasses.replace(state, restarts=worker.restarts)
    return ProcessState(
        role.module,
        role.task,
        role.name,
        _after_the_end(worker, child),
        restart_in_s=worker.restart_in_s,
        restarts=worker.restarts,
    )


def _after_the_end(worker: Worker, child: ChildProcess) -> Life:
    if child.exit_code in _ENDED and worker.restart_in_s is None:
        return Life.FINISHED
    # A death that the launcher has not looked at yet is not the end of the run.
    is_final = child.is_buried and worker.restart_in_s is None
    return Life.FAILED if is_final else Life.RESTARTING


def of_roles(progress: Progress) -> list[ProcessState]:
    """The states of roles that share this process, as far as they were heard of."""
    states = [
        _of_figures(progress, role, 0, role, progress.figure(role, "pid"))
        for role in figures.PROCESSES
    ]
    # What they take of the machine is that of all together.
    return [
        states[0],
        *(
            dataclasses.replace(state, cpu_percent=None, memory_mb=None)
            for state in states[1:]
        ),
    ]


def of_actors_elsewhere(progress: Progress, tasks: Iterable[int]) -> list[ProcessState]:
    """The states of actors that others start, as far as they were heard of."""
    role = figures.ACTOR
    return [
        _of_figures(
            progress,
            role,
            task,
            figures.process_name(role, task),
            progress.figure(role, "pid", task),
        )
        for task in tasks
    ]


# The figure that says how fast a role is.
_SPEED = {
    figures.SERVER: "env_steps_per_s",
    figures.ACTOR: "env_steps_per_s",
    figures.LEARNER: "updates_per_s",
    figures.SHARD: "env_steps_per_s",
}


def _of_figures(
    progress: Progress, role: str, task: int, name: str, pid: int | None
) -> ProcessState:
    """What the figures of a process tell; those of an earlier life do not count."""
    heard_at = None if pid is None else progress.heard_at(role, task, pid)
    if pid is None or heard_at is None:
        return ProcessState(role, task, name, Life.STARTING)
    silent_s = time.monotonic() - heard_at
    waited = progress.growth_per_s(role, "waited_s", task)
    if waited is not None:
        waited = min(waited, 1.0)  # Rows do not come quite evenly.
    if silent_s > _SILENT_S:
        life = Life.SILENT
    elif progress.status:
        life = Life.ENDING
    elif not progress.has_worked(role, task, pid):
        life = Life.STARTING
    else:
        life = Life.WAITING if (waited or 0.0) >= _WAITING else Life.RUNNING
    is_at_work = life in (Life.RUNNING, Life.WAITING)
    speed = progress.figure(role, _SPEED.get(role, ""), task)
    return ProcessState(
        role,
        task,
        name,
        life,
        per_s=speed if is_at_work else None,
        waited=waited if is_at_work else None,
        cpu_percent=progress.figure(role, "cpu_percent", task),
        memory_mb=progress.figure(role, "memory_mb", task),
        silent_s=silent_s,
    )
