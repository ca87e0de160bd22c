"""A run that everything happens to: killed, ended and frozen processes, all day long.

`python -m benchmarks.chaos --minutes=20 --seed=0` trains CartPole while random faults
hit random processes, each as soon as the run has recovered from the one before. In the
end all processes are killed at once, and the run is resumed and has to reach its
target. It fails if a recovery takes too long, or if a process is left.
"""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path
from typing import Any

import psutil
from absl import flags

from benchmarks import report
from benchmarks.stock_processes import Children
from benchmarks.watched_run import WatchedRun
from experiment import flags as shared_flags
from experiment import process
from experiment.errors import EXIT_FAILED, EXIT_FINISHED

_NUM_ACTORS = 2
ROLES = ("reverb_server", "learner", "eval_job", "actor-0", "actor-1")

# What happens, how often compared with the others. "freeze" is over after a while.
_KINDS = {"kill": 5, "end": 2, "freeze": 3}
_FREEZE_S = (2.0, 15.0)
_PAUSE_S = (1.0, 6.0)

# Seconds: what a recovery may take, and after what the run counts as lost.
_LONGEST_RECOVERY_S = 45.0
_LOST_S = 180.0

_SNAPSHOT_INTERVAL_S = 10
_TARGET_TIMEOUT_S = 900.0

# So it trains until it is killed.
ENDLESS = (
    f"--num_actors={_NUM_ACTORS}",
    "--target_return=1000000",
    "--max_train_steps=1000000000",
    f"--gin_bindings=Train.checkpoint_interval_s = {_SNAPSHOT_INTERVAL_S}",
)


def strike(run: WatchedRun, dice: random.Random) -> dict[str, Any]:
    """Lets one fault happen, and waits until the run is well again.

    Args:
      run: Is well.
      dice: Decides on the fault.

    Returns:
      What happened, and how long the recovery took, after the end of a freeze.
    """
    kind = dice.choices(list(_KINDS), list(_KINDS.values()))[0]
    role = dice.choice(ROLES)
    victim = run.processes()[role]
    before = run.figure("learner", "train_step")
    if kind == "freeze":
        frozen_s = dice.uniform(*_FREEZE_S)
        victim.suspend()
        time.sleep(frozen_s)
        victim.resume()
        kind = f"freeze {frozen_s:.0f} s"
    else:
        victim.send_signal(signal.SIGKILL if kind == "kill" else signal.SIGTERM)
    recovery_s = run.wait_until_well(_LOST_S)
    return {
        "fault": kind,
        "process": role,
        "recovery, s": recovery_s,
        "train step before": before,
        "after": run.figure("learner", "train_step"),
    }


def torment(
    children: Children, root_dir: Path, seconds: float, dice: random.Random, told: Any
) -> set[psutil.Process]:
    """Runs, with one fault after another, and kills everything at the end.

    Args:
      children: Where the processes belong.
      root_dir: Folder of the run.
      seconds: How long.
      dice: Decides on the faults.
      told: Gets a row for each.

    Returns:
      All processes that there were.
    """
    run = WatchedRun(children, root_dir, ROLES, *ENDLESS)
    run.wait_until_started()
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        row = {"at, s": round(time.monotonic() - start), **strike(run, dice)}
        told.rows.append(row)
        print(*row.values(), flush=True)
        time.sleep(dice.uniform(*_PAUSE_S))
    told.summary["train step"] = run.figure("learner", "train_step")
    told.summary["env steps"] = run.figure("reverb_server", "env_steps")
    victims = [*run.processes().values(), psutil.Process(run.launcher.pid)]
    for victim in reversed(victims):
        victim.kill()
    children.end(run.launcher)
    return run.seen


def recover(children: Children, root_dir: Path, told: Any) -> set[psutil.Process]:
    """Resumes the run, which has to reach its target.

    Args:
      children: Where the processes belong.
      root_dir: Folder of the run.
      told: Gets what comes of it.

    Returns:
      All processes that there were.
    """
    flags_ = ("--resume", "--target_return=475", f"--num_actors={_NUM_ACTORS}")
    run = WatchedRun(children, root_dir, ROLES, *flags_)
    run.wait_until_started()
    told.summary["resumed at train step"] = run.figure("learner", "train_step")
    told.summary["resumed at env steps"] = run.figure("reverb_server", "env_steps")
    told.summary["exit code"] = run.wait_for_end(_TARGET_TIMEOUT_S)
    return run.seen


def main(minutes: float, seed: int, json_path: str | None) -> int:
    """Torments, recovers, tells."""
    told = report.Report("chaos", {"minutes": minutes, "seed": seed})
    with Children() as children:
        root_dir = children.folder / "run"
        seen = torment(children, root_dir, minutes * 60, random.Random(seed), told)
        seen |= recover(children, root_dir, told)
    left = [one.pid for one in seen if one.is_running()]
    longest = max((row["recovery, s"] for row in told.rows), default=0.0)
    told.summary |= {
        "faults": len(told.rows),
        "longest recovery, s": longest,
        "left running": len(left),
    }
    told.show()
    print(report.table([told.summary]))
    told.write(json_path)
    is_well = longest < _LONGEST_RECOVERY_S and not left
    is_well = is_well and told.summary["exit code"] == EXIT_FINISHED
    return EXIT_FINISHED if is_well else EXIT_FAILED


if __name__ == "__main__":
    _MINUTES = flags.DEFINE_float("minutes", 20.0, "Minutes of faults.")
    _SEED = shared_flags.define_seed()
    _JSON = report.define_json("chaos")
    process.run(lambda: main(_MINUTES.value, _SEED.value or 0, _JSON.value))
