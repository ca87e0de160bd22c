"""What the launcher says to the user before and after a run."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from experiment import run_dir
from experiment.presets import DEFAULT_PRESET
from launch.options import Options
from launch.plain_view import print_line
from launch.result import Outcome

ENDED = "the run has ended; last evaluation, checkpoint, videos ..."
STOPPED = "asked to stop; a last snapshot ..."

# Addresses that are named, of a machine that has many.
_SHOWN = 3


def greeting(options: Options, port: int | None = None) -> str:
    """What is being started, and where to look.

    Args:
      options: What the run is started with.
      port: Of the server; None if all is in one process, which looks for one later.
    """
    elsewhere = options.actors_elsewhere
    actors = f"{options.num_actors} actors"
    if elsewhere:
        actors += f" ({elsewhere} of them started elsewhere)"
    who = (
        "all roles in one process"
        if port is None
        else f"{actors}, learner, eval; replay server at port {port}"
    )
    further = options.num_replay_servers - 1
    if further:
        who += f", and {further} more"
    return (
        f"{_what(options)}: {who}; results in {short(options.root_dir)}. "
        "Ctrl-C ends the run."
    )


def who_gets_in(isolate: bool) -> str:
    """Who can reach the server, and with it all of the run.

    Args:
      isolate: Whether it is in a network of its own.
    """
    if isolate:
        return "isolated: nobody but this run's own processes can reach its server."
    found = _addresses()
    if not found:
        who = "whoever is on this machine, which has no network now,"
    else:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        who = f"whoever reaches this machine at {', '.join(found[:_SHOWN])}{more}"
    return (
        f"open to others: {who} can read and change the run, unless a firewall keeps "
        "them out; --isolate does (docs/security.md)."
    )


def who_gets_in_at(host: str) -> str:
    """The same of a server on another machine, perhaps.

    Args:
      host: Where the others reach it; it listens at its other addresses too.
    """
    return (
        f"open to others: whoever reaches the server's node, {host} or another address "
        "of it, can read and change the run, unless a firewall keeps them out "
        "(docs/security.md)."
    )


def _addresses() -> list[str]:
    """The addresses at which others may reach this machine."""
    is_up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    return [
        each.address.partition("%")[0]  # Without the interface.
        for name, all_of_it in psutil.net_if_addrs().items()
        for each in all_of_it
        if name in is_up
        and each.family in (socket.AF_INET, socket.AF_INET6)
        and not ipaddress.ip_address(each.address.partition("%")[0]).is_loopback
    ]


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
    tensorboard = short(Path(sys.executable).with_name("tensorboard"))
    print_line(f"curves: {tensorboard} --logdir {folder}")


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
