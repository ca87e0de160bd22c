"""`python -m launch`, started by `launch/local.sh`: a run on this machine."""

from __future__ import annotations

import time

import psutil
from absl import flags

from experiment import process, run_dir
from launch import options as options_lib
from launch import result, screen
from launch.supervisor import Supervisor
from reverb_server import port as port_lib

flags.adopt_module_key_flags(options_lib)


def main() -> int:
    """Parses, reserves the port, runs, writes the result."""
    started_at = psutil.Process().create_time()
    options = options_lib.read()
    if options.in_process:
        with screen.log_to(options.root_dir / run_dir.LOGS_DIR / "in_process.log"):
            # Needs TensorFlow, which takes seconds to import; a launcher does not.
            from launch import in_process  # noqa: PLC0415

            outcome = in_process.run(options, screen.say)
    else:
        holder, port = port_lib.reserve(options.port)
        screen.greet(options, port)
        supervisor = Supervisor(options, port, started_at, screen.say)
        stop = process.StopSignal(4 * process.GRACE_S, at_last=supervisor.kill)
        outcome = supervisor.run(stop)
        holder.close()
    path = result.write(options, outcome.status, started_at, time.time())
    screen.farewell(options, outcome, path)
    return outcome.exit_code


if __name__ == "__main__":
    process.run(main)
