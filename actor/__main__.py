"""`python -m actor`: one actor of a run; all it needs is the server's address."""

from __future__ import annotations

import functools

from absl import flags

from actor import builder
from actor import collect as collect_lib
from actor import watchdog as watchdog_lib
from actor.memory import MemoryLimit
from experiment import definition, devices, process, seeding
from experiment import flags as shared_flags
from experiment.errors import EXIT_RESTART, check_number
from reverb_server import membership

_SERVER_ADDRESS = shared_flags.define_server_address()
_TASK = flags.DEFINE_integer(
    "task", 0, "Number of this actor, from 0; each actor of a run has its own."
)
_IS_RESTART = shared_flags.define_is_restart()


def main() -> int:
    """Parses, joins, builds, collects."""
    process.give_way()
    stop = process.StopSignal()
    devices.use_one_cpu_thread()
    address = shared_flags.required(_SERVER_ADDRESS, "localhost:8008")
    check_number("--task", _TASK.value, at_least=0, integer=True)
    run = membership.Membership(address, "actor", stop, _TASK.value)
    experiment = definition.load_run(run.manifest)
    settings = experiment.collect
    watchdog = watchdog_lib.Watchdog(
        _TASK.value, settings.environment_timeout_s, run.report, process.fail
    )
    process.start_thread("environment watchdog", watchdog.run)
    life = seeding.life_of(run.manifest, _IS_RESTART.value)
    collector, weights = builder.build(experiment, run, _TASK.value, watchdog, life)
    envs = settings.envs_per_actor
    missing = functools.partial(builder.missing_random_steps, experiment, run)
    memory = MemoryLimit()

    def is_running() -> bool:
        return run.is_running() and not memory.is_reached()

    collect_lib.collect(collector, weights, envs, missing, is_running, run.report_from)
    run.leave()
    return EXIT_RESTART if run.is_running() else stop.exit_code


if __name__ == "__main__":
    process.run(main)
