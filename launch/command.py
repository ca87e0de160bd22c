"""The main of `python -m launch`, a run on this machine, and what all launchers do."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

from experiment import process, run_dir, run_status
from experiment.errors import (
    EXIT_CONFIGURATION,
    EXIT_FAILED,
    ConfigurationError,
    one_line,
)
from launch import children, flags, memory, result, screen
from launch import view as view_lib
from launch.options import Options
from launch.plain_view import print_line
from launch.result import Outcome
from launch.supervisor import Supervisor
from launch.view import View
from reverb_server import port as port_lib

Run = Callable[[Options, process.StopSignal, View], Outcome]


def main() -> int:
    """A run on this machine."""
    return conduct(_run_here)


def conduct(run: Run, *, learner_is_here: bool = True) -> int:
    """Parses, runs, writes the result, the report; says it; returns the exit code.

    Args:
      run: Runs what the flags say, and says how it ended.
      learner_is_here: Whether GPUs that are required have to be this machine's.
    """
    stop = process.StopSignal(4 * process.GRACE_S)
    started_at = process.started_at()
    options = flags.read(learner_is_here)
    outcome = result.Outcome(run_status.FAILED, EXIT_FAILED)
    view = view_lib.choose(options.quiet)
    try:
        outcome = run(options, stop, view)
    finally:
        view.close()
        path = result.write(options, outcome.status, started_at, time.time())
    if path and outcome.exit_code != EXIT_CONFIGURATION:
        screen.farewell(options, outcome, path)
    stop.at_last = lambda: _say_error(outcome)
    if path:
        _report(options.root_dir)
    _say_error(outcome)
    return outcome.exit_code


def _run_here(options: Options, stop: process.StopSignal, view: View) -> Outcome:
    """One process a role, or one for all."""
    run = _run_in_process if options.in_process else _run_processes
    return run(options, stop, view)


def _run_processes(options: Options, stop: process.StopSignal, view: View) -> Outcome:
    """One process a role."""
    here = (options.actors_here, options.num_replay_servers - 1)
    memory.check(*here)
    logs_dir = options.root_dir / run_dir.LOGS_DIR
    with _held_ports(options) as ports, children.starting_here(logs_dir) as start:
        port, *shard_ports = ports
        view.say(screen.greeting(options, port))
        view.say(screen.who_gets_in(options.isolate))
        warning = memory.warning(*here)
        if warning:
            view.warn(warning)
        supervisor = Supervisor(options, f"localhost:{port}", start, view, shard_ports)
        stop.at_last = supervisor.kill
        return supervisor.run(stop)


@contextlib.contextmanager
def _held_ports(options: Options) -> Iterator[list[int]]:
    """Ports of all replay servers, that of the first one first.

    A firewall has to be told of all: so they follow one that was asked for.

    Raises:
      ConfigurationError: One of them is in use, or too high.
    """
    held = []
    with contextlib.ExitStack() as stack:
        for number in range(options.num_replay_servers):
            try:
                wanted = options.port and options.port + number
                holder, port = port_lib.reserve(wanted)
            except ConfigurationError as error:
                if not number or options.port is None:
                    raise
                raise ConfigurationError(
                    f"--port={options.port} is for the first of "
                    f"{options.num_replay_servers} replay servers, and the next ports "
                    f"are for the others: {error}"
                ) from error
            stack.enter_context(holder)
            held.append(port)
        yield held


def _run_in_process(options: Options, stop: process.StopSignal, view: View) -> Outcome:
    """All roles in this process, whose failure is the run's."""
    view.say(screen.greeting(options))
    view.say(screen.who_gets_in(options.isolate))
    view.say("loading the libraries ...")
    with screen.log_to(options.root_dir / run_dir.LOGS_DIR / "in_process.log"):
        # Needs TensorFlow, which takes seconds to import; a launcher does not.
        from launch import in_process  # noqa: PLC0415

        try:
            return in_process.run(options, stop, view)
        except Exception as error:  # noqa: BLE001  (told as the end of a process is)
            message, code = process.explain(error)
            return Outcome(run_status.FAILED, code, message)


def _say_error(outcome: Outcome) -> None:
    """What went wrong is the last thing to be seen."""
    if outcome.error:
        print_line(outcome.error)


def _report(root_dir: Path) -> None:
    """Makes the report of a run that has existed; at the worst there is none."""
    if not (root_dir / run_dir.MANIFEST).exists():
        return
    try:
        # Needs Plotly and SciPy, which no run waits for at its start.
        from launch.report import page  # noqa: PLC0415

        path = root_dir / run_dir.REPORT
        page.write([root_dir], path)
        print_line(f"report: {screen.short(path)}")
    except Exception as error:  # noqa: BLE001  (the run is what counts)
        print_line(
            f"{run_dir.REPORT} could not be made ({one_line(error)}); try again by "
            f"python -m launch.report --root_dir={root_dir}."
        )
