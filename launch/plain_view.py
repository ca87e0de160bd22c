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
    """Prints a line of figures every few seconds."""

    def say(self, line: str) -> None:
        """Prints it."""
        print_line(line)

    def show(self, state: RunState) -> None:
        """Prints the figures, until the run has ended."""
        if state.progress.status is None:
            print_line(figures_line(state))

    def show_last(self, state: RunState) -> None:
        """Prints the last figures, if any: a short run has shown none before."""
        if _has_begun(state.progress):
            print_line(figures_line(state))


def figures_line(state: RunState) -> str:
    """The newest figures in one line."""
    progress = state.progress
    parts = [duration(state.seconds)]
    if not _has_begun(progress):
        return f"{parts[0]}  starting"
    train_step = progress.figure(figures.LEARNER, "train_step")
    parts.append(f"train step {train_step or 0:,}{_speed(state, figures.LEARNER)}")
    env_steps = _server(progress, "env_steps")
    parts.append(f"env steps {env_steps:,}{_speed(state, figures.SERVER)}")
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


def _has_begun(progress: Progress) -> bool:
    """Whether there is anything to show."""
    train_step = progress.figure(figures.LEARNER, "train_step")
    return train_step is not None or bool(_server(progress, "env_steps"))


def _speed(state: RunState, role: str) -> str:
    """In brackets; nothing of who is not at work."""
    per_s = state.per_s(role)
    return "" if per_s is None else f" ({per_s:,.0f}/s)"


def _server(progress: Progress, name: str) -> float:
    """A figure of the server; 0 before there is any."""
    return progress.figure(figures.SERVER, name) or 0
