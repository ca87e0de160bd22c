"""The main of `python -m launch`: a run on this machine."""

from __future__ import annotations

import time

import psutil

from experiment import process, run_dir, run_status
from experiment.errors import EXIT_CONFIGURATION, EXIT_FAILED
from launch import memory, result, screen
from launch import options as options_lib
from launch.result import Outcome
from launch.supervisor import Supervisor
from reverb_server import port as port_lib


def main() -> int:
    """Parses, reserves the port, runs, writes the result."""
    stop = process.StopSignal(4 * process.GRACE_S)
    started_at = psutil.Process().create_time()
    options = options_lib.read()
    outcome = result.Outcome(run_status.FAILED, EXIT_FAILED)
    try:
        run = _run_in_process if options.in_process else _run_processes
        outcome = run(options, stop)
    finally:
        path = result.write(options, outcome.status, started_at, time.time())
    if path and outcome.exit_code != EXIT_CONFIGURATION:
        screen.farewell(options, outcome, path)
    if outcome.error:
        screen.say(outcome.error)
    return outcome.exit_code


def _run_processes(options: options_lib.Options, stop: process.StopSignal) -> Outcome:
    """One process a role."""
    memory.check(options.num_actors)
    holder, port = port_lib.reserve(options.port)
    screen.greet(options, port)
    warning = memory.warning(options.num_actors)
    if warning:
        screen.say(warning)
    started_at = psutil.Process().create_time()
    supervisor = Supervisor(options, port, started_at, screen.say)
    stop.at_last = supervisor.kill
    with holder:
        return supervisor.run(stop)


def _run_in_process(options: options_lib.Options, stop: process.StopSignal) -> Outcome:
    """All roles in this process."""
    with screen.log_to(options.root_dir / run_dir.LOGS_DIR / "in_process.log"):
        # Needs TensorFlow, which takes seconds to import; a launcher does not.
        from launch import in_process  # noqa: PLC0415

        return in_process.run(options, stop, screen.say)
