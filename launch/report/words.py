"""What a report says of a run in words and figures."""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Sequence

import numpy as np

from experiment import machine
from launch.duration import duration
from launch.held_back import held_back
from launch.report import metrics as metrics_lib
from launch.report.metrics import Life
from launch.report.run_files import Run
from reverb_server import figures


@dataclasses.dataclass(frozen=True)
class Process:
    """All lives of a process, summed up; what is not known is None.

    Attributes:
      name: As the launcher names it.
      host: Of its last life.
      starts: How many lives it had, as far as is known.
      steps: Train steps of learner and eval job, environment steps of the others.
      memory_mb: The most.
      cpu_percent: Mean.
      waited_percent: Of its time.
      failures: Of its environments.
    """

    name: str
    host: str
    starts: int
    steps: float | None
    memory_mb: float | None
    cpu_percent: float | None
    waited_percent: float | None
    failures: float | None


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
    return [_process(run, lives[key]) for key in sorted(lives)]


def _process(run: Run, lives: list[Life]) -> Process:
    serves = lives[0].role == figures.SERVER
    trains = lives[0].role in (figures.LEARNER, figures.EVAL_JOB)
    ends = _last(lives, "train_step" if trains else "env_steps")
    memory, cpu = (
        np.concatenate([life.points(figure)[1] for life in lives])
        for figure in ("memory_mb", "cpu_percent")
    )
    waits = lives[0].role in (figures.ACTOR, figures.LEARNER)
    waited = metrics_lib.share_waited(lives) if waits else None
    # An actor counts from 0 in each life, the others go on.
    acts = lives[0].role == figures.ACTOR
    taken = sum(ends) if acts else max(ends, default=0.0)
    failures = _last(lives, "environment_failures") if acts else []
    return Process(
        name=lives[0].name,
        host=lives[-1].host,
        # Those of the server are known, also if it had no time for a row.
        starts=run.manifest.server_start if serves else len(lives),
        steps=taken if ends else None,
        memory_mb=float(memory.max()) if len(memory) else None,
        cpu_percent=float(cpu.mean()) if len(cpu) else None,
        waited_percent=None if waited is None else 100 * waited,
        failures=sum(failures) if failures else None,
    )


def _last(lives: Sequence[Life], figure: str) -> list[float]:
    """What a figure came to in each life that has it."""
    values = [life.points(figure)[1] for life in lives]
    return [float(each[-1]) for each in values if len(each)]


def bottleneck(run: Run) -> str:
    """Who holds the run back, while the learner trains."""
    training = run.metrics.training()
    actors = metrics_lib.share_waited(run.metrics.of(figures.ACTOR), training)
    learner = metrics_lib.share_waited(run.metrics.of(figures.LEARNER), training)
    if run.manifest.in_process:
        return "One process does all the work in turns, so nobody waits for another."
    if actors is None or learner is None:
        return "Not known: there are no figures of training."
    what, remedy = held_back(actors=actors, learner=learner)
    return f"{what[0].upper()}{what[1:]}. {remedy}".strip()


def machine_and_versions(run: Run) -> tuple[dict[str, str], dict[str, str]]:
    """What the run was made on, and with."""
    described = run.manifest.machine
    return (
        {name: described[name] for name in described if name not in machine.VERSIONS},
        {name: described[name] for name in machine.VERSIONS if name in described},
    )


def commands(run: Run) -> list[str]:
    """How to make such a run again, in a checkout, with its gin text in `run.gin`."""
    manifest = run.manifest
    commit = manifest.machine.get("commit", "")
    clean = commit.removesuffix("-dirty")
    found = [f"git checkout {shlex.quote(clean)}"] if clean else []
    if clean != commit:
        found.append("# There were changes that were not committed.")
    actors = f"--num_actors={manifest.num_actors}"
    mode = "--in_process" if manifest.in_process else actors
    found.append(f"./launch/local.sh --gin_file=run.gin {mode} --seed={manifest.seed}")
    return found
