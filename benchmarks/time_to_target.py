"""Time from the start of the command to the target: this project, and SB3 beside it.

`python -m benchmarks.time_to_target --seeds=0,1,2,3,4 --with_sb3`. SB3 is
Stable-Baselines3, see `sb3_dqn.py`. The sides take turns, seed by seed, and who is
first changes with each seed, so that both see the same machine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

import psutil
from absl import flags

from benchmarks.report import Report, define_json
from experiment import errors, process, run_dir, run_status
from experiment import flags as shared_flags
from experiment.errors import EXIT_CONFIGURATION, EXIT_FINISHED, ConfigurationError

OURS, SB3 = "antiphon", "sb3"

_CHECKOUT = Path(__file__).resolve().parents[1]
_SB3_VENV = _CHECKOUT / ".venv-sb3"
_SB3_PYTHON = _SB3_VENV / "bin" / "python"
_SB3_VERSIONS = "stable-baselines3==2.9.2 gymnasium==1.4.0 torch==2.14.1 numpy==2.2.6"
_FOR_PYTHON_3_9 = "stable-baselines3==2.7.1 gymnasium==1.1.1 torch==2.8.0 numpy==2.0.2"

# Seconds that an installation may take. PyTorch comes with 5 GB of libraries for GPUs.
_INSTALL_TIMEOUT_S = 1800.0

# Seconds until what was asked to end is killed.
_GRACE_S = 20.0

# Seconds between two looks at what runs.
_POLL_S = 0.1


class StoppedError(Exception):
    """We were asked to stop; what ran has been ended."""


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a command ended.

    Attributes:
      exit_code: None if it had to be ended at its deadline.
      wall_time_s: From start to end.
      output: Lines of both its streams that are not empty; at least one.
    """

    exit_code: int | None
    wall_time_s: float
    output: list[str]


class Runner:
    """Runs commands, one at a time, and leaves nothing of them behind.

    Attributes:
      stop: Set when we are asked to stop.
    """

    def __init__(self) -> None:
        """Listens for SIGTERM and SIGINT from now on."""
        self._family: list[psutil.Process] = []
        self.stop = process.StopSignal(2 * _GRACE_S, self._kill)

    def run(self, command: Sequence[object], timeout_s: float) -> Ending:
        """Runs a command, and ends it if it takes longer or we are to stop."""
        with tempfile.TemporaryDirectory(prefix="antiphon-") as folder:
            log = Path(folder, "log")
            start = time.monotonic()
            with log.open("wb") as output:
                child = psutil.Popen(
                    [str(part) for part in command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "TMPDIR": folder},
                    # Ctrl-C reaches only us, and we end it.
                    start_new_session=True,
                )
            self._family = [child]
            try:
                code = self._wait(child, start + timeout_s)
            finally:
                self._end(child)
            wall_time_s = round(time.monotonic() - start, 3)
            text = log.read_text(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return Ending(code, wall_time_s, lines or ["no output"])

    def _wait(self, child: psutil.Popen, deadline: float) -> int | None:
        while time.monotonic() < deadline:
            if self.stop.is_set():
                raise StoppedError
            with contextlib.suppress(psutil.TimeoutExpired):
                return int(child.wait(_POLL_S))
        return None

    def _end(self, child: psutil.Popen) -> None:
        """Ends a command in good order, and by force what is left then."""
        if child.returncode is not None:
            return
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            # The roles of a run have sessions of their own.
            self._family += child.children(recursive=True)
            os.killpg(child.pid, signal.SIGTERM)
        psutil.wait_procs(self._family, _GRACE_S)
        self._kill()
        psutil.wait_procs(self._family, _GRACE_S)

    def _kill(self) -> None:
        for member in self._family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()


def make_venv(runner: Runner) -> None:
    """Makes SB3's virtual environment, unless it is there already.

    SB3 has no place beside TensorFlow 2.15: it wants newer libraries.

    Raises:
      RuntimeError: It cannot be installed.
    """
    # Written last, so it vouches for the whole installation.
    stamp = _SB3_VENV / "antiphon.stamp"
    versions = _FOR_PYTHON_3_9 if sys.version_info < (3, 10) else _SB3_VERSIONS
    wanted = f"{sys.version}\n{_SB3_VENV}\n{versions}\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"installing SB3 in {_SB3_VENV}, with 5 GB of PyTorch ...", flush=True)
    install = ["-m", "pip", "install", "--no-input", *versions.split()]
    for command in (
        # Removes what an earlier attempt has left, with the stamp.
        [sys.executable, "-I", "-m", "venv", "--clear", _SB3_VENV],
        [_SB3_PYTHON, "-I", *install],
    ):
        ending = runner.run(command, _INSTALL_TIMEOUT_S)
        if ending.exit_code != EXIT_FINISHED:
            raise RuntimeError(
                f"{_SB3_VENV} could not be made: {' '.join(ending.output[-3:])} It "
                "needs 6 GB of disk and a Python package index within reach; put that "
                "right and start again, or leave out --with_sb3."
            )
    (_SB3_VENV / ".gitignore").write_text("*\n")
    stamp.write_text(wanted)


def measure_ours(
    runner: Runner, options: Sequence[str], deadline_s: float, seed: int
) -> dict[str, Any]:
    """Runs `launch/local.sh` with these flags, and returns a row."""
    with tempfile.TemporaryDirectory(prefix="antiphon-time-") as folder:
        own = [f"--seed={seed}", f"--root_dir={folder}/run"]
        local = _CHECKOUT / "launch" / "local.sh"
        ending = runner.run([local, *own, *options], deadline_s)
        if ending.exit_code == EXIT_CONFIGURATION:
            why = ending.output[-1]
            raise ConfigurationError(why.replace(errors.FATAL_MARK, "", 1))
        path = Path(folder, "run", run_dir.RESULT)
        result = json.loads(path.read_text()) if path.exists() else {}
    status = result.get("status", "no result")
    # From the start of local.sh, which becomes the launcher, to the second judgement.
    time_s = result.get("time_to_target_s")
    steps = {name: result.get(name) for name in ("train_step", "env_steps")}
    return _row(OURS, seed, ending, status, time_s) | steps


def measure_sb3(
    runner: Runner, options: Sequence[str], deadline_s: float, seed: int
) -> dict[str, Any]:
    """Runs `sb3_dqn.py` with these flags, and returns a row."""
    script = _CHECKOUT / "benchmarks" / "sb3_dqn.py"
    command = [_SB3_PYTHON, "-I", script, f"--seed={seed}", *options]
    ending = runner.run(command, deadline_s)
    done = ending.exit_code == EXIT_FINISHED
    result = json.loads(ending.output[-1]) if done else {}
    status = run_status.TARGET_REACHED if result.get("solved") else "gave up"
    steps = {"train_step": result.pop("updates", None), **result}
    return steps | _row(SB3, seed, ending, status, result.get("seconds"))


def _row(
    side: str, seed: int, ending: Ending, status: str, time_s: float | None
) -> dict[str, Any]:
    solved = status == run_status.TARGET_REACHED and time_s is not None
    if not solved and ending.exit_code is None:
        status = f"not in {ending.wall_time_s:.0f} s"
    elif ending.exit_code:
        status = f"exit code {ending.exit_code}: {ending.output[-1]}"
    return {
        "side": side,
        "seed": seed,
        "solved": solved,
        "status": status,
        "time_s": time_s if solved else None,
        "wall_time_s": ending.wall_time_s,
    }


def summarize(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Medians over the seeds, and their ratio; a failed run takes longer than any."""
    summary: dict[str, Any] = {}
    for side in dict.fromkeys(row["side"] for row in rows):
        times = [row["time_s"] or math.inf for row in rows if row["side"] == side]
        median = statistics.median(times)
        summary[f"{side}_median_s"] = median if math.isfinite(median) else None
        summary[f"{side}_all_solved"] = math.inf not in times
    ours, theirs = (summary.get(f"{side}_median_s") for side in (OURS, SB3))
    summary["ratio"] = ours / theirs if ours and theirs else None
    return summary


def for_reader(report: Report) -> list[dict[str, Any]]:
    """A line for each seed, with both sides, and one for the medians."""
    medians: dict[str, Any] = {"seed": "median"}
    lines: dict[int, dict[str, Any]] = {}
    for side in sorted({row["side"] for row in report.rows}):
        for row in report.rows:
            if row["side"] == side:
                line = lines.setdefault(row["seed"], {"seed": row["seed"]})
                line[f"{side}: s"], line[side] = row["time_s"], row["status"]
        solved = report.summary[f"{side}_all_solved"]
        medians[f"{side}: s"] = report.summary[f"{side}_median_s"]
        medians[side] = "all solved" if solved else "not all solved"
    whole = [{name: line.get(name) for name in medians} for line in lines.values()]
    return [*whole, medians]


def measure(
    report: Report,
    seeds: Sequence[int],
    sides: Sequence[Callable[[int], dict[str, Any]]],
    json_path: str | None,
) -> None:
    """Runs all sides with all seeds; what is measured is written at once."""
    report.write(json_path)
    for number, seed in enumerate(seeds):
        for side in sides if number % 2 == 0 else reversed(sides):
            row = side(seed)
            report.rows.append(row)
            report.summary = summarize(report.rows)
            report.write(json_path)
            took = f"{row['time_s'] or row['wall_time_s']:.1f} s"
            print(f"seed {seed}, {row['side']}: {row['status']}, {took}", flush=True)


def main() -> int:
    """Parses, installs, measures, shows."""
    if not all(seed.isdecimal() for seed in _SEEDS.value):
        raise ConfigurationError(f"--seeds is {_SEEDS.value}; allowed: whole numbers.")
    for_run = [_NUM_ACTORS, _GIN_FILE, _GIN_BINDINGS]
    given = (_SEEDS, *for_run, _WITH_SB3, _SB3_THREADS, _DEADLINE_S)
    report = Report("time_to_target", {flag.name: flag.value for flag in given})
    runner = Runner()
    run_flags = [text for flag in for_run for text in flag.serialize().splitlines()]
    threads = [f"--threads={_SB3_THREADS.value}"] if _SB3_THREADS.value else []
    sides = [functools.partial(measure_ours, runner, run_flags, _DEADLINE_S.value)]
    with contextlib.suppress(StoppedError):
        # Its time is not to be in that of the first run.
        runner.run([_CHECKOUT / "launch" / "setup.sh"], _INSTALL_TIMEOUT_S)
        if _WITH_SB3.value:
            make_venv(runner)
            more = functools.partial(measure_sb3, runner, threads, _DEADLINE_S.value)
            sides.append(more)
        measure(report, [int(seed) for seed in _SEEDS.value], sides, _JSON.value)
    if report.rows:
        report.show(for_reader(report))
        print(json.dumps(report.summary), flush=True)
    return runner.stop.exit_code


if __name__ == "__main__":
    # Defined only here: a program that imports this module may have its own.
    _SEEDS = flags.DEFINE_list("seeds", "0,1,2,3,4", "One run of each side for each.")
    _NUM_ACTORS = shared_flags.define_num_actors()
    _GIN_FILE, _GIN_BINDINGS = shared_flags.define_gin()
    _WITH_SB3 = flags.DEFINE_boolean("with_sb3", False, "Run SB3's DQN as well.")
    _SB3_THREADS = flags.DEFINE_integer("sb3_threads", None, "Default: PyTorch's own.")
    _DEADLINE_S = flags.DEFINE_float("deadline_s", 300, "Seconds for each run.")
    _JSON = define_json("time_to_target")
    process.run(main)
