"""What a report says of a run in words and figures."""

from __future__ import annotations

import dataclasses
import shlex
import time

import numpy as np

from experiment import machine
from launch.duration import duration
from launch.report import metrics as metrics_lib
from launch.report.metrics import Life
from launch.report.run_files import Run
from reverb_server import figures

# Who waits for less than this share of its time is busy.
_BUSY = 0.1


@dataclasses.dataclass(frozen=True)
class Process:
    """All lives of a process, summed up; what is not known is None.

    Attributes:
      name: As the launcher names it.
      host: Of its last life.
      starts: How many lives were heard of.
      steps: Train steps of learner and eval job, environment steps of the others.
      memory_mb: The most.
      cpu_percent: Mean.
      waited_percent: Of its time.
    """

    name: str
    host: str
    starts: int
    steps: float | None
    memory_mb: float | None
    cpu_percent: float | None
    waited_percent: float | None


def date(unix: float) -> str:
    """A moment, where the report is made."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix))


def plural(count: int, noun: str) -> str:
    """A count with its noun."""
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count:,} {noun}{ending}"


def tiles(run: Run) -> list[tuple[str, str, str]]:
    """The outcome: for each figure its name, its value, and what to compare it with."""
    returns = [row.average_return for row in run.returns]
    target = "" if run.target is None else f"target {run.target:g}"
    to_target_s = run.result.get("time_to_target_s")
    found = [
        ("last return", f"{returns[-1]:.1f}" if returns else "none yet", target),
        ("best return", f"{max(returns):.1f}" if returns else "none yet", ""),
        ("train steps", f"{run.train_step:,}", ""),
        ("env steps", f"{run.env_steps:,}", ""),
        ("wall time", duration(run.wall_time_s), ""),
    ]
    if run.baseline:
        average = f"{run.baseline.average_return:.1f}"
        found.insert(2, ("random policy", average, ""))
    if to_target_s is not None:
        found.append(("to the target", f"{to_target_s:.0f} s", ""))
    return found


def processes(run: Run) -> list[Process]:
    """All that were heard of, the server first."""
    lives: dict[tuple[int, int], list[Life]] = {}
    for life in run.metrics.lives:
        place = figures.PROCESSES.index(life.role)
        lives.setdefault((place, life.task), []).append(life)
    return [_process(lives[key]) for key in sorted(lives)]


def _process(lives: list[Life]) -> Process:
    trains = lives[0].role in (figures.LEARNER, figures.EVAL_JOB)
    steps = [life.points("train_step" if trains else "env_steps")[1] for life in lives]
    ends = [float(each[-1]) for each in steps if len(each)]
    memory, cpu = (
        np.concatenate([life.points(figure)[1] for life in lives])
        for figure in ("memory_mb", "cpu_percent")
    )
    waits = lives[0].role in (figures.ACTOR, figures.LEARNER)
    waited = metrics_lib.share_waited(lives) if waits else None
    # An actor counts from 0 in each life, the others go on.
    taken = sum(ends) if lives[0].role == figures.ACTOR else max(ends, default=0.0)
    return Process(
        name=lives[0].name,
        host=lives[-1].host,
        starts=len(lives),
        steps=taken if ends else None,
        memory_mb=float(memory.max()) if len(memory) else None,
        cpu_percent=float(cpu.mean()) if len(cpu) else None,
        waited_percent=None if waited is None else 100 * waited,
    )


def bottleneck(run: Run) -> str:
    """Who held the run back: whoever the others waited for."""
    actors = metrics_lib.share_waited(run.metrics.of(figures.ACTOR))
    learner = metrics_lib.share_waited(run.metrics.of(figures.LEARNER))
    if actors is None or learner is None:
        return "Not known: actors and learner have not said how long they waited."
    if in_process(run):
        return "One process did all the work in turns, so nobody waited for another."
    shares = (
        f"The actors waited {100 * actors:.0f} % of their time to insert, the learner "
        f"{100 * learner:.0f} % of its time for batches."
    )
    if max(actors, learner) < _BUSY:
        return f"Neither side: both were busy nearly all of the time. {shares}"
    if actors > learner:
        return (
            f"The learner. {shares} More actors would not help; a faster learner, or "
            "fewer samples per insert, would give more environment steps a second."
        )
    return (
        f"The actors. {shares} More actors, faster environments, or more samples per "
        "insert would give more updates a second."
    )


def in_process(run: Run) -> bool:
    """Whether all roles were one process."""
    return len({(life.host, life.pid) for life in run.metrics.lives}) == 1


def machine_and_versions(run: Run) -> tuple[dict[str, str], dict[str, str]]:
    """What the run was made on, and with."""
    described = run.manifest.machine
    versions = ("antiphon", "python", *machine.PACKAGES)
    return (
        {name: value for name, value in described.items() if name not in versions},
        {name: described[name] for name in versions if name in described},
    )


def commands(run: Run) -> list[str]:
    """How to make such a run again, in a checkout, with its gin text in `run.gin`."""
    manifest = run.manifest
    commit = manifest.machine.get("antiphon", "unknown")
    clean = commit.removesuffix("-dirty")
    found = [] if clean == "unknown" else [f"git checkout {shlex.quote(clean)}"]
    if clean != commit:
        found.append("# There were changes that were not committed.")
    mode = "--in_process" if in_process(run) else f"--num_actors={manifest.num_actors}"
    found.append(f"./launch/local.sh --gin_file=run.gin {mode} --seed={manifest.seed}")
    return found
