"""What the launcher says to the user before and after a run."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from experiment import run_dir
from experiment.presets import DEFAULT_PRESET
from launch.options import Options
from launch.plain_view import print_line
from launch.result import Outcome

ENDED = "the run has ended; last evaluation, checkpoint, videos ..."
STOPPED = "asked to stop; a last snapshot ..."


def greeting(options: Options, port: int | None = None) -> str:
    """What is being started, and where to look.

    Args:
      options: What the run is started with.
      port: Of the server; None if all is in one process, which looks for one later.
    """
    who = (
        "all roles in one process"
        if port is None
        else f"{options.num_actors} actors, learner, eval; replay server at port {port}"
    )
    further = options.num_replay_servers - 1
    if further:
        who += f", and {further} more"
    return (
        f"{_what(options)}: {who}; results in {short(options.root_dir)}. "
        "Ctrl-C ends the run."
    )


def farewell(options: Options, outcome: Outcome, result: Path) -> None:
    """Says how the run ended, and what there is to see."""
    figures = json.loads(result.read_text())
    average, to_target = figures["average_return"], figures["time_to_target_s"]
    parts = [outcome.status.replace("_", " ")]
    if average is not None:
        parts.append(
            f"average return {average:.1f} at train step {figures['train_step']:,}"
        )
    if figures["random_average_return"] is not None:
        parts.append(f"random policy {figures['random_average_return']:.1f}")
    parts.append(
        f"{to_target:.0f} s to the target"
        if to_target
        else f"{figures['wall_time_s']:.0f} s"
    )
    folder = short(options.root_dir)
    found = [
        name
        for name in (
            run_dir.RESULT,
            run_dir.RETURNS_PLOT,
            f"{run_dir.VIDEOS_DIR}/trained.mp4",
            f"{run_dir.VIDEOS_DIR}/random.mp4",
            "policies/greedy_policy",
            run_dir.LOGS_DIR,
        )
        if (options.root_dir / name).exists()
    ]
    print_line(", ".join(parts))
    print_line(f"see {folder}: {', '.join(found)}")
    print_line(f"curves: .venv/bin/tensorboard --logdir {folder}")


def _what(options: Options) -> str:
    """What is learned, as far as the launcher knows."""
    if options.resume:
        return "going on"
    return Path(options.gin_file or DEFAULT_PRESET).name


def short(path: Path) -> str:
    """Relative to where the user is, if that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)


@contextlib.contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Sends standard error, where Reverb and TensorFlow write too, to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    terminal = os.dup(2)
    with path.open("ab") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)
