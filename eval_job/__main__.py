"""`python -m eval_job`: the eval job of a run."""

from __future__ import annotations

from pathlib import Path

from eval_job import builder
from eval_job.evaluate import evaluate_run, finish_run
from experiment import definition, devices, process, run_dir, seeding
from experiment import flags as shared_flags
from reverb_server import membership
from reverb_server import weights as weights_lib

_SERVER_ADDRESS = shared_flags.define_server_address()
_ROOT_DIR = shared_flags.define_root_dir("default: the one of the run's manifest")
_TARGET_RETURN = shared_flags.define_target_return()
_IS_RESTART = shared_flags.define_is_restart()

# Seconds between two pulls of the weights.
_PULL_INTERVAL_S = 0.1


def main() -> int:
    """Parses, joins, builds, evaluates, ends the run, draws the pictures."""
    stop = process.StopSignal()
    devices.use_one_cpu_thread()
    address = shared_flags.required(_SERVER_ADDRESS, "localhost:8008")
    shared_flags.check_target_return(_TARGET_RETURN.value)
    folder = shared_flags.given_folder(_ROOT_DIR)
    run = membership.Membership(address, "eval_job", stop)
    root_dir = folder or Path(run.manifest.root_dir)
    run_dir.require_writable(root_dir)
    experiment = definition.load_run(run.manifest)
    settings = builder.settings(experiment, _TARGET_RETURN.value)
    run.report(target_return=settings.target_return)
    life = seeding.life_of(run.manifest, _IS_RESTART.value)
    judge, variables = builder.build(experiment, settings, run, root_dir, life)
    judge.judge_random_policy()
    weights = weights_lib.WeightsPuller(address, variables, _PULL_INTERVAL_S)
    interval = settings.interval_train_steps
    is_running = builder.idle_limit(run, weights)
    reached = evaluate_run(judge, weights, interval, is_running)
    if reached or run.run_has_ended():
        finish_run(judge, run, variables, weights.train_step)
    judge.draw_returns()
    judge.close()
    if not stop.is_set():
        judge.record_videos()
    run.leave()
    return stop.exit_code


if __name__ == "__main__":
    process.run(main)
