"""What is in a run's folder, however far the run has got."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from eval_job import returns_file
from eval_job.returns_file import Row
from experiment import changes, run_dir
from experiment.errors import ConfigurationError
from experiment.manifest import Manifest
from launch.report import metrics as metrics_lib
from launch.report.clock import Clock
from launch.report.metrics import Metrics
from reverb_server import figures

# Statuses of runs that have no result.
RUNNING = "running"
BROKEN_OFF = "broken off"

VIDEOS = ("trained", "random")

# Those on the way; the number is the train step.
_ON_THE_WAY = re.compile(r"train_step_(\d+)\.mp4")


@dataclasses.dataclass(frozen=True)
class Fault:
    """A row of `faults.jsonl`, see `launch.failures`."""

    time: float
    role: str
    exit_code: int
    lived_s: float
    restart_in_s: float | None


@dataclasses.dataclass(frozen=True)
class Run:
    """A run, as far as its files tell.

    Attributes:
      root_dir: Its folder.
      manifest: Its configuration.
      status: Of the result, or one of the two above.
      result: The fields of `result.json`; empty if the run has not ended, or not well.
      ended: The row of its end; None if it has not ended, or was resumed since.
      returns: All evaluations, in order of time.
      baseline: That of the random policy.
      metrics: The figures of its processes.
      faults: Processes that ended and should not have.
      clock: Its time.
      config: Every gin value in force; empty if the server did not get so far.
      videos: Those that were recorded at the end, by name.
      on_the_way: Those of evaluations on the way, by train step, in order.
    """

    root_dir: Path
    manifest: Manifest
    status: str
    result: dict[str, Any]
    ended: dict[str, Any] | None
    returns: list[Row]
    baseline: Row | None
    metrics: Metrics
    faults: list[Fault]
    clock: Clock
    config: str
    videos: dict[str, Path]
    on_the_way: dict[int, Path]

    @property
    def target(self) -> float | None:
        """The average return wanted."""
        bound = changes.values(self.config or self.manifest.gin_text)
        with contextlib.suppress(ValueError):
            return float(bound.get("Evaluation.target_return", "None"))
        return None

    @property
    def train_step(self) -> int:
        """As far as is known, of the final weights if the run has ended."""
        if self.ended and isinstance(self.ended.get("train_step"), int):
            return int(self.ended["train_step"])
        judged = self.returns[-1].train_step if self.returns else 0
        return int(self.newest(figures.LEARNER, "train_step") or judged)

    @property
    def env_steps(self) -> int:
        """As far as is known."""
        judged = self.returns[-1].env_steps if self.returns else 0
        return max(judged, int(self.newest(figures.SERVER, "env_steps") or 0))

    def newest(self, role: str, figure: str) -> float | None:
        """The newest value of a figure; None if there is none."""
        for life in reversed(self.metrics.of(role)):
            values = life.points(figure)[1]
            if len(values):
                return float(values[-1])
        return None

    def usual_rate(self, role: str, figure: str) -> float | None:
        """The median of a rate while anything moved; None if nothing ever did."""
        values = [life.points(figure)[1] for life in self.metrics.of(role)]
        rates = np.concatenate([np.empty(0), *values])
        return float(np.median(rates[rates > 0])) if (rates > 0).any() else None

    @property
    def wall_time_s(self) -> float:
        """Seconds that the run has been going, as far as is known."""
        heard = [self.clock.seconds(each.times[-1:])[0] for each in self.metrics.lives]
        judged = [row.wall_time_s for row in self.returns]
        told = self.result.get("wall_time_s") or 0.0
        return float(max([told, *heard, *judged]))


def read(root_dir: Path) -> Run:
    """Reads what there is.

    Raises:
      ConfigurationError: There is no run.
    """
    path = root_dir / run_dir.MANIFEST
    if not path.exists():
        raise ConfigurationError(
            f"--root_dir {root_dir} holds no run ({run_dir.MANIFEST} is missing); name "
            f"the folder of a run, e.g. --root_dir={run_dir.RUNS / run_dir.LATEST}."
        )
    root_dir = root_dir.resolve()  # `runs/latest` is another run tomorrow.
    manifest = run_dir.read_manifest(root_dir)
    metrics = metrics_lib.read(root_dir / run_dir.METRICS)
    faults = _faults(root_dir / run_dir.FAULTS)
    clock = Clock(manifest.started_at, manifest.pauses)
    ended = _ended(metrics, clock)
    result = _result(root_dir, metrics)
    baselines = returns_file.read(root_dir / run_dir.RANDOM_RETURNS)
    config = root_dir / run_dir.CONFIG
    videos = {name: root_dir / run_dir.VIDEOS_DIR / f"{name}.mp4" for name in VIDEOS}
    return Run(
        root_dir=root_dir,
        manifest=manifest,
        status=str(result.get("status") or _status(root_dir, ended)),
        result=result,
        ended=ended,
        returns=returns_file.read(root_dir / run_dir.RETURNS),
        baseline=baselines[0] if baselines else None,
        metrics=metrics,
        faults=faults,
        clock=clock,
        config=config.read_text(errors="replace") if config.exists() else "",
        videos={name: path for name, path in videos.items() if path.exists()},
        on_the_way=_on_the_way(root_dir / run_dir.VIDEOS_DIR),
    )


def _ended(metrics: Metrics, clock: Clock) -> dict[str, Any] | None:
    """The row of the end, unless the run was resumed since."""
    row = metrics.ended
    has_ended = row and row["time"] > max(clock.resumed_at, default=0.0)
    return row if has_ended else None


def _status(root_dir: Path, ended: dict[str, Any] | None) -> str:
    """Of a run that has no result: its processes were started by hand, say."""
    if ended:
        return str(ended.get("status"))
    return RUNNING if run_dir.is_in_use(root_dir) else BROKEN_OFF


def _result(root_dir: Path, metrics: Metrics) -> dict[str, Any]:
    """What the run has come to; empty if it was resumed since, or has not ended."""
    path = root_dir / run_dir.RESULT
    servers = metrics.of(figures.SERVER)
    heard_at = max((life.times[-1] for life in servers), default=0.0)
    with contextlib.suppress(OSError, ValueError):
        if path.stat().st_mtime >= heard_at:
            result = json.loads(path.read_text())
            return result if isinstance(result, dict) else {}
    return {}


def _on_the_way(folder: Path) -> dict[int, Path]:
    """The videos of evaluations, by train step, in order."""
    found = ((_ON_THE_WAY.fullmatch(path.name), path) for path in folder.glob("*.mp4"))
    return dict(sorted((int(match[1]), path) for match, path in found if match))


def _faults(path: Path) -> list[Fault]:
    """Whole rows, in order."""
    if not path.exists():
        return []
    faults = []
    for line in path.read_text(errors="replace").splitlines():
        # Cut off by a kill, or no fault at all.
        with contextlib.suppress(ValueError, TypeError, KeyError):
            faults.append(_fault(json.loads(line)))
    return faults


def _fault(row: dict[str, Any]) -> Fault:
    wait_s = row["restart_in_s"]
    return Fault(
        time=float(row["time"]),
        role=str(row["role"]),
        exit_code=int(row["exit_code"]),
        lived_s=float(row["lived_s"]),
        restart_in_s=None if wait_s is None else float(wait_s),
    )
