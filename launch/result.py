"""`result.json`: what a run has come to."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

from eval_job import returns_file
from experiment import run_dir, run_status
from experiment.errors import ConfigurationError
from experiment.manifest import Manifest
from launch.options import Options


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
      status: One of the statuses of `result.json`.
      exit_code: Of the launcher.
      error: What went wrong first.
    """

    status: str
    exit_code: int
    error: str | None = None


def write(
    options: Options, status: str, started_at: float, ended_at: float
) -> Path | None:
    """Writes the result of a run from the files in its folder.

    Args:
      options: What the run was started with.
      status: How it ended.
      started_at: Unix time, in seconds, when the command started.
      ended_at: When it ended.

    Returns:
      The file; None if the run in the folder was not gone on with: its result stays.

    Raises:
      OSError: It cannot be written.
    """
    root_dir = options.root_dir
    if options.resume and not _was_served(root_dir, started_at):
        return None
    manifest = _manifest(root_dir)
    rows = returns_file.read(root_dir / run_dir.RETURNS)
    baseline = returns_file.read(root_dir / run_dir.RANDOM_RETURNS)
    last = rows[-1] if rows else None
    to_target = None
    if manifest and last and status == run_status.TARGET_REACHED:
        to_target = round(manifest.started_at - started_at + last.wall_time_s, 3)
    result: dict[str, Any] = {
        "run_id": manifest.run_id if manifest else None,
        "status": status,
        "average_return": last.average_return if last else None,
        "best_average_return": max((row.average_return for row in rows), default=None),
        "random_average_return": baseline[0].average_return if baseline else None,
        "train_step": last.train_step if last else 0,
        "env_steps": last.env_steps if last else 0,
        "wall_time_s": round(ended_at - started_at, 3),
        "time_to_target_s": to_target,
        "num_actors": manifest.num_actors if manifest else options.num_actors,
        "seed": manifest.seed if manifest else options.seed,
        "gin_file": manifest.gin_file if manifest else options.gin_file,
    }
    path = root_dir / run_dir.RESULT
    run_dir.write_text(path, json.dumps(result, indent=2) + "\n")
    return path


def _was_served(root_dir: Path, since: float) -> bool:
    """Whether a server has written its manifest since a time."""
    path = root_dir / run_dir.MANIFEST
    return path.exists() and path.stat().st_mtime >= since


def _manifest(root_dir: Path) -> Manifest | None:
    """None if there is none, or none that can be read: that was told before."""
    with contextlib.suppress(ConfigurationError):
        return run_dir.read_manifest(root_dir)
    return None
