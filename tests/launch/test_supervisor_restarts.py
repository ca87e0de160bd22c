"""launch/supervisor.py: what is started again, and what is given up; stand-ins."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from tests.launch.conftest import Supervise
from tests.launch.supervised import END, UNTIL_TOLD, Supervised
from tests.reverb_server.waiting import wait_until

# No test waits for as long as a user would.
_QUICK = {"_FIRST_DELAY_S": 0.1}

# Ends the run when there is a file that says so.
_END_WHEN_TOLD = (
    """
import pathlib, time
pathlib.Path("a_learner.started").touch()
while not pathlib.Path("end").exists():
    time.sleep(0.02)
"""
    + END
)


def row(role: str) -> str:
    """Code that sends figures, as a role does by way of the server."""
    return f"""
import json, os, pathlib
row = json.dumps({{"role": {role!r}, "task": 0, "pid": os.getpid()}})
with pathlib.Path("run", "metrics.jsonl").open("a") as file:
    file.write(row + chr(10))
"""


# A server that sends figures all the time, of its own.
_TALKING = f"""
import time
while True:
    exec({row("reverb_server")!r})
    time.sleep(0.05)
"""


def faults(run: Supervised) -> list[dict[str, Any]]:
    """The failures that are kept in the folder of the run."""
    lines = (run.folder / "run" / "faults.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", ["actor-0", "a-learner", "a-server"])
def test_a_process_that_is_killed_is_started_again(
    name: str, supervise: Supervise
) -> None:
    """With the flags of a restart; all others stay, and the run ends well."""
    run = supervise(
        {
            "a-server": UNTIL_TOLD,
            "a-learner": _END_WHEN_TOLD,
            "actor-0": UNTIL_TOLD,
        },
        spare={"actor-0"},
        **_QUICK,
    )
    module = name.replace("-", "_")
    run.wait_for("a_server.started", "a_learner.started", "actor_0.started")
    others = {p.pid for p in run.processes() if module not in p.cmdline()}
    (run.folder / f"{module}.started").unlink()
    first = run.process_of(name)
    first.kill()
    run.wait_for(f"{module}.started")
    second = run.process_of(name)
    assert second.pid != first.pid
    assert second.cmdline()[-1] == "--again"
    assert others <= {p.pid for p in run.processes()}
    (run.folder / "end").touch()
    outcome, said = run.outcome()
    assert outcome == ["max_train_steps", 0, None]
    [told] = [line for line in said if "SIGKILL" in line]
    assert told.startswith(f"{name} was ended by SIGKILL after ")
    assert told.endswith(f"starting it again in 0 s. Log: {run.log(name)}")
    [fault] = faults(run)
    assert (fault["role"], fault["exit_code"]) == (name, 137)
    assert fault["restart_in_s"] == 0.1


def test_one_that_asks_for_it_is_started_at_once(supervise: Supervise) -> None:
    """Exit code 75, once."""
    again = "import sys; '--again' in sys.argv or sys.exit(75)\n"
    run = supervise(
        {"a-server": UNTIL_TOLD, "a-learner": again + END}, _FIRST_DELAY_S=3_600.0
    )
    outcome, _ = run.outcome()
    assert outcome == ["max_train_steps", 0, None]
    assert [fault["restart_in_s"] for fault in faults(run)] == [0.0]


def test_a_wrong_configuration_is_never_tried_again(supervise: Supervise) -> None:
    """Not even in an actor, of which there may be others."""
    run = supervise(
        {
            "a-server": UNTIL_TOLD,
            "a-learner": UNTIL_TOLD,
            "actor-0": "print('fatal: wrong flag'); raise SystemExit(2)",
        },
        spare={"actor-0"},
        **_QUICK,
    )
    outcome, said = run.outcome()
    assert outcome[:2] == ["failed", 2]
    assert outcome[2].endswith(": wrong flag")
    assert said == []
    assert len(faults(run)) == 1


def test_one_that_fails_always_ends_the_run(supervise: Supervise) -> None:
    """After so many restarts in a row; each has waited longer than the one before."""
    run = supervise(
        {
            "a-server": UNTIL_TOLD,
            "a-learner": UNTIL_TOLD,
            "actor-0": "print('fatal: broken'); raise SystemExit(3)",
        },
        spare={"actor-0"},
        max_restarts=2,
        **_QUICK,
    )
    outcome, said = run.outcome()
    assert outcome[:2] == ["failed", 1]
    assert (
        outcome[2] == f"actor-0 failed (exit code 3, log {run.log('actor-0')}): broken"
    )
    assert sum("starting it again" in line for line in said) == 2
    assert [fault["restart_in_s"] for fault in faults(run)] == [0.1, 0.2, None]


def test_who_failed_first_is_shown_last(supervise: Supervise) -> None:
    """The learner fails for good, but only since the server had."""
    learner = """
import pathlib, time
while not pathlib.Path("run", "faults.jsonl").exists():
    time.sleep(0.02)
print("fatal: no server")
raise SystemExit(2)
"""
    run = supervise(
        {
            "a-server": "print('fatal: no memory'); raise SystemExit(5)",
            "a-learner": learner,
        },
        _FIRST_DELAY_S=3_600.0,
    )
    outcome, _ = run.outcome()
    assert outcome[:2] == ["failed", 2]
    last, first = outcome[2].splitlines()
    assert last.startswith("a-learner failed (exit code 2")
    assert first.startswith("the first to fail: a-server failed (exit code 5")
    assert first.endswith(": no memory")


def test_a_process_that_hangs_is_killed_and_started_again(
    supervise: Supervise,
) -> None:
    """It was heard of, is stopped, and is heard of no more; the server is."""
    talking = f"""
import sys, time
def main():
    if "--again" in sys.argv:
{chr(10).join("        " + line for line in END.splitlines())}
        return
    while True:
        exec({row("a_learner")!r})
        time.sleep(0.05)
main()
"""
    run = supervise(
        {"a-server": _TALKING, "a-learner": talking},
        _SILENCE_S=2.0,
        **_QUICK,
    )
    metrics = run.folder / "run" / "metrics.jsonl"
    wait_until(lambda: metrics.exists() and "a_learner" in metrics.read_text())
    run.process_of("a-learner").send_signal(signal.SIGSTOP)
    outcome, said = run.outcome()
    assert outcome == ["max_train_steps", 0, None]
    [killed] = [line for line in said if line.endswith(" s: killing it.")]
    assert killed.startswith("a-learner has been silent for ")
    assert said[said.index(killed) + 1].startswith("a-learner was ended by SIGKILL")


def test_a_process_that_never_was_heard_of_is_given_more_time(
    supervise: Supervise,
) -> None:
    """To import and to compile; then it is killed too."""
    run = supervise(
        {
            "a-server": _TALKING,
            "a-learner": "import sys, time\n'--again' in sys.argv or time.sleep(60)\n"
            + END,
        },
        _SILENCE_S=1.0,
        _START_S=4.0,
        _START_OF_EACH_S=0.0,
        **_QUICK,
    )
    outcome, said = run.outcome()
    assert outcome == ["max_train_steps", 0, None]
    assert "a-learner has been silent for 4 s: killing it." in said


def test_nobody_is_killed_while_the_server_is_gone(supervise: Supervise) -> None:
    """The figures of all come by way of it: then nothing is known of any."""
    run = supervise(
        {"a-server": UNTIL_TOLD, "a-learner": _END_WHEN_TOLD, "actor-0": UNTIL_TOLD},
        spare={"actor-0"},
        _SILENCE_S=0.2,
        _START_S=0.5,
        interval_s=0.2,
    )
    wait_until(lambda: len(run.said) > 5)
    (run.folder / "end").touch()
    outcome, said = run.outcome()
    assert outcome == ["max_train_steps", 0, None]
    assert not [line for line in said if "killing it" in line]


def test_an_actor_that_fails_after_the_end_does_not_fail_the_run(
    supervise: Supervise,
) -> None:
    """Nor is it started again: there is nothing to collect."""
    metrics = "pathlib.Path('run', 'metrics.jsonl')"
    fails = f"""
import pathlib, time
while not {metrics}.exists():
    time.sleep(0.02)
time.sleep(0.5)
raise SystemExit(1)
"""
    waits = """
import pathlib, time
while not pathlib.Path("run", "faults.jsonl").exists():
    time.sleep(0.02)
"""
    run = supervise(
        {"a-server": UNTIL_TOLD, "a-learner": END + waits, "actor-0": fails},
        spare={"actor-0"},
        **_QUICK,
    )
    outcome, said = run.outcome()
    assert outcome == ["max_train_steps", 0, None]
    assert not [line for line in said if "again" in line]
    assert [fault["restart_in_s"] for fault in faults(run)] == [None]


def test_an_actor_need_not_end_for_the_run_to(supervise: Supervise) -> None:
    """It is ended, when all that are needed have finished."""
    run = supervise(
        {"a-server": UNTIL_TOLD, "a-learner": END, "actor-0": UNTIL_TOLD},
        spare={"actor-0"},
    )
    outcome, _ = run.outcome()
    assert outcome == ["max_train_steps", 0, None]


def test_a_learner_that_fails_after_the_end_is_started_again(
    supervise: Supervise,
) -> None:
    """It has the policies to write."""
    again = "import sys; '--again' in sys.argv or sys.exit(1)\n"
    run = supervise({"a-server": UNTIL_TOLD, "a-learner": END + again}, **_QUICK)
    outcome, _ = run.outcome()
    assert outcome == ["max_train_steps", 0, None]
    assert [fault["exit_code"] for fault in faults(run)] == [1]


def test_a_signal_ends_a_run_that_waits_to_start_again(supervise: Supervise) -> None:
    """The one that is down is not waited for."""
    run = supervise(
        {
            "a-server": UNTIL_TOLD,
            "a-learner": UNTIL_TOLD,
            "actor-0": "raise SystemExit(1)",
        },
        spare={"actor-0"},
        _FIRST_DELAY_S=3_600.0,
    )
    run.wait_for("run/faults.jsonl", "a_server.started", "a_learner.started")
    os.kill(run.process.pid, signal.SIGTERM)
    outcome, _ = run.outcome()
    assert outcome == ["interrupted", 143, None]
