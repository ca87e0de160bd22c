"""A run in plain lines: for logs, for CI, for terminals that can do no more."""

from __future__ import annotations

import contextlib

from launch.duration import duration
from launch.progress import Progress
from launch.state import RunState
from reverb_server import figures


def print_line(line: str) -> None:
    """Prints a line now."""
    with contextlib.suppress(OSError):  # Nobody looks any more, or a full disk.
        print(line, flush=True)


class QuietView:
    """Shows what goes wrong, and nothing else."""

    interval_s = 3.0

    def say(self, line: str) -> None:
        """Is silent."""

    def warn(self, line: str) -> None:
        """Prints it."""
        print_line(line)

    def show(self, state: RunState) -> None:
        """Is silent."""

    def show_last(self, state: RunState) -> None:
        """Is silent: the result follows."""

    def close(self) -> None:
        """Leaves nothing behind."""


class PlainView(QuietView):
    """Prints a line of figures every few seconds, and one for each trouble."""

    def say(self, line: str) -> None:
        """Prints it."""
        print_line(line)

    def show(self, state: RunState) -> None:
        """Prints the figures and the troubles, until the run has ended."""
        if state.progress.status is None:
            for line in [figures_line(state), *state.progress.troubles]:
                print_line(line)


def figures_line(state: RunState) -> str:
    """The newest figures in one line."""
    progress = state.progress
    parts = [duration(state.seconds)]
    train_step = progress.figure(figures.LEARNER, "train_step")
    if train_step is None and not _server(progress, "env_steps"):
        return f"{parts[0]}  starting"
    updates_per_s = progress.figure(figures.LEARNER, "updates_per_s") or 0
    parts.append(f"train step {train_step or 0:,} ({updates_per_s:,.0f}/s)")
    parts.append(
        f"env steps {_server(progress, 'env_steps'):,} "
        f"({_server(progress, 'env_steps_per_s'):,.0f}/s)"
    )
    parts.append(
        f"replay {_server(progress, 'replay_size'):,}"
        f"/{_server(progress, 'replay_max_size'):,}"
    )
    lag = progress.figure(figures.LEARNER, "policy_lag")
    parts.append("policy lag -" if lag is None else f"policy lag {lag:,.0f}")
    if progress.returns:
        target = progress.figure(figures.EVAL_JOB, "target_return")
        wanted = "" if target is None else f", target {target:g}"
        best = max(progress.returns)
        parts.append(f"return {progress.returns[-1]:.1f} (best {best:.1f}{wanted})")
    return "  ".join(parts)


def _server(progress: Progress, name: str) -> float:
    """A figure of the server; 0 before there is any."""
    return progress.figure(figures.SERVER, name) or 0
