"""benchmarks/time_to_target.py: our side with an easy target, and what can go wrong."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.report import Report
from benchmarks.time_to_target import for_reader, summarize
from tests.launch.a_run import CHECKOUT


def start(folder: Path, *flags: str) -> subprocess.Popen[str]:
    """Starts the benchmark with one seed and all temporary files below `folder`."""
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "benchmarks.time_to_target",
            "--seeds=7",
            "--num_actors=1",
            f"--json={folder}/result.json",
            *flags,
        ],
        cwd=CHECKOUT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def processes_of(folder: Path) -> list[psutil.Process]:
    """All processes that were started with something below `folder`."""
    found = []
    for candidate in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(folder) in str(candidate.environ()):
                found.append(candidate)
    return found


def row(side: str, seed: int, time_s: float | None) -> dict[str, Any]:
    solved = time_s is not None
    status = "target_reached" if solved else "gave up"
    return {
        "side": side,
        "seed": seed,
        "time_s": time_s,
        "solved": solved,
        "status": status,
    }


def test_an_easy_target_is_reached(tmp_path: Path) -> None:
    # Two bindings, one of them with a comma, to see that they arrive.
    benchmark = start(
        tmp_path,
        "--gin_bindings=Evaluation.target_return = 5",
        "--gin_bindings=q_network.layers = (16, 16)",
    )
    output, _ = benchmark.communicate()
    assert benchmark.returncode == 0, output
    assert "| 7      |" in output
    saved = json.loads((tmp_path / "result.json").read_text())
    (measured,) = saved["rows"]
    assert measured["solved"], output
    assert 0 < measured["time_s"] <= measured["wall_time_s"]
    assert measured["train_step"] > 0
    assert saved["summary"]["antiphon_median_s"] == measured["time_s"]
    assert saved["arguments"]["num_actors"] == 1
    assert not processes_of(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_a_run_is_ended_at_its_deadline(tmp_path: Path) -> None:
    benchmark = start(tmp_path, "--deadline_s=3")
    output, _ = benchmark.communicate()
    assert benchmark.returncode == 0, output
    saved = json.loads((tmp_path / "result.json").read_text())
    (measured,) = saved["rows"]
    assert not measured["solved"]
    # How long it really took, on a machine that may be busy with other things.
    assert 3 <= int(measured["status"].removeprefix("not in ").removesuffix(" s")) < 60
    assert saved["summary"]["antiphon_median_s"] is None
    assert not processes_of(tmp_path)


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    with start(tmp_path) as benchmark:
        # Parent, launcher, and at least one role.
        while len(processes_of(tmp_path)) < 3:
            assert benchmark.poll() is None
            time.sleep(0.1)
        benchmark.send_signal(signal.SIGINT)
        output, _ = benchmark.communicate()
    assert benchmark.returncode == 128 + signal.SIGINT, output
    assert not processes_of(tmp_path)


@pytest.mark.parametrize("flag", ["--seeds=one", "--num_actors=0"])
def test_a_wrong_flag_ends_it(tmp_path: Path, flag: str) -> None:
    benchmark = start(tmp_path, flag)
    output, _ = benchmark.communicate()
    assert benchmark.returncode == 2
    assert flag.partition("=")[0] in output.splitlines()[-1]


def test_a_median_beside_failures_is_unknown() -> None:
    rows = [
        row("antiphon", 0, 10.0),
        row("sb3", 0, None),
        row("sb3", 1, 8.0),
        row("antiphon", 1, 20.0),
    ]
    assert summarize(rows) == {
        "antiphon_median_s": 15.0,
        "antiphon_all_solved": True,
        "sb3_median_s": None,
        "sb3_all_solved": False,
        "ratio": None,
    }
    assert summarize([*rows, row("sb3", 2, 30.0)])["ratio"] == 0.5


def test_the_reader_sees_both_sides_of_a_seed_in_one_line() -> None:
    rows = [row("antiphon", 0, 10.0), row("sb3", 0, 20.0), row("sb3", 1, None)]
    report = Report("time_to_target", {}, rows=rows, summary=summarize(rows))
    reached = "target_reached"
    assert [list(line.values()) for line in for_reader(report)] == [
        [0, 10.0, reached, 20.0, reached],
        [1, None, None, None, "gave up"],
        ["median", 10.0, "all solved", None, "not all solved"],
    ]
