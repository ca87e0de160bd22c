"""`python -m learner`: the learner of a run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from experiment import definition, devices, process, run_dir
from experiment import flags as shared_flags
from learner import builder
from learner import end as end_lib
from learner import train as train_lib
from reverb_server import membership

_SERVER_ADDRESS = shared_flags.define_server_address()
_ROOT_DIR = shared_flags.define_root_dir("default: the one of the run's manifest")
_MAX_TRAIN_STEPS = shared_flags.define_max_train_steps()
_LEARNER_DEVICE = shared_flags.define_learner_device()


def main() -> int:
    """Parses, joins, builds, trains, ends the run."""
    stop = process.StopSignal()
    device = devices.for_learner(_LEARNER_DEVICE())
    address = shared_flags.required(_SERVER_ADDRESS, "localhost:8008")
    shared_flags.check_max_train_steps(_MAX_TRAIN_STEPS.value)
    folder = shared_flags.given_folder(_ROOT_DIR)
    run = membership.Membership(address, "learner", stop)
    run.report(device=device.text)
    root_dir = folder or Path(run.manifest.root_dir)
    run_dir.require_writable(root_dir)
    experiment = definition.load_run(run.manifest)
    settings = experiment.train
    if _MAX_TRAIN_STEPS.value is not None:
        settings = dataclasses.replace(settings, max_train_steps=_MAX_TRAIN_STEPS.value)
    trainer = builder.build(experiment, run, root_dir, device.strategy())
    trainer.publish()
    is_running = builder.idle_limit(experiment, run, trainer)
    train_lib.train(trainer, settings, is_running, run.report, run.report_from)
    trainer.save()
    if not stop.is_set():
        end_lib.end_run(trainer, run)
    trainer.export()
    run.report(**trainer.figures())
    run.leave()
    return stop.exit_code


if __name__ == "__main__":
    process.run(main)
