"""launch/failures.py: what is told of failures, what is kept, and which was first."""

from __future__ import annotations

import json
import time
import types
from pathlib import Path

import pytest

from launch import failures as failures_lib
from launch.failures import Failures
from launch.worker import Failure


def failure(name: str, exit_code: int = 1, restart_in_s: float | None = 2.0) -> Failure:
    """Of a role that lived for 7 seconds."""
    log = Path(f"/run/logs/{name}.log")
    return Failure(name, exit_code, 7.0, restart_in_s, log, f"{name} says why")


@pytest.fixture
def said() -> list[str]:
    """The lines that the user has seen."""
    return []


@pytest.fixture
def failures(tmp_path: Path, said: list[str]) -> Failures:
    """None yet."""
    return Failures(tmp_path, said.append)


def test_a_failure_that_is_mended_is_told(failures: Failures, said: list[str]) -> None:
    """With what happened and what is done about it; the run goes on."""
    failures.note(failure("actor-1", 137))
    failures.note(failure("learner", 3, restart_in_s=0.0))
    assert said == [
        "actor-1 was ended by SIGKILL after 7 s (actor-1 says why); "
        "starting it again in 2 s. "
        "Log: /run/logs/actor-1.log",
        "learner failed with exit code 3 after 7 s (learner says why); "
        "starting it again in 0 s. "
        "Log: /run/logs/learner.log",
    ]
    assert failures.fatal is None


def test_a_failure_that_ends_the_run_is_not_told_twice(
    failures: Failures, said: list[str]
) -> None:
    """It is the last thing the user is to see."""
    assert failures.fatal is None
    fatal = failure("learner", restart_in_s=None)
    failures.note(fatal)
    assert failures.fatal == fatal
    assert said == []
    assert failures.why(set()) == (
        "learner failed (exit code 1, log /run/logs/learner.log): learner says why"
    )


def test_all_failures_are_kept_in_the_folder(
    failures: Failures, tmp_path: Path
) -> None:
    """Also those of an earlier part of the run."""
    (tmp_path / "faults.jsonl").write_text('{"role": "before"}\n')
    failures.note(failure("actor-0", 137))
    failures.note(failure("learner", restart_in_s=None))
    lines = (tmp_path / "faults.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["role"] for row in rows] == ["before", "actor-0", "learner"]
    assert rows[1].pop("time") <= rows[2].pop("time")
    assert rows[1] == {
        "role": "actor-0",
        "exit_code": 137,
        "lived_s": 7.0,
        "restart_in_s": 2.0,
    }
    assert rows[2]["restart_in_s"] is None


def test_a_disk_that_takes_nothing_ends_no_run(
    failures: Failures, tmp_path: Path, said: list[str]
) -> None:
    """The user hears of that, and of the failure all the same."""
    (tmp_path / "faults.jsonl").mkdir()
    failures.note(failure("actor-0"))
    unwritten, failed = said
    assert unwritten.startswith(f"{tmp_path / 'faults.jsonl'} could not be written: ")
    assert failed.startswith("actor-0 failed")


def test_the_first_to_fail_is_shown_last(failures: Failures) -> None:
    """The others may have failed because of it."""
    failures.note(failure("reverb_server", 137))
    failures.note(failure("actor-0"))
    failures.note(failure("learner", restart_in_s=None))
    assert failures.why(set()).splitlines() == [
        "learner failed (exit code 1, log /run/logs/learner.log): learner says why",
        "the first to fail: reverb_server failed (exit code 137, log "
        "/run/logs/reverb_server.log): reverb_server says why",
    ]


def test_who_got_to_work_again_is_not_the_cause(failures: Failures) -> None:
    """Then it is the next one."""
    failures.note(failure("reverb_server", 137))
    failures.note(failure("actor-0"))
    failures.note(failure("learner", restart_in_s=None))
    why = failures.why({"reverb_server"})
    assert why.splitlines()[-1].startswith("the first to fail: actor-0 failed")
    assert "\n" not in failures.why({"reverb_server", "actor-0"})


def test_what_failed_long_before_is_not_the_cause(
    failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But a chain of failures is one cause, however long it is."""
    now = iter([0.0, 1_000.0, 1_100.0, 1_200.0])
    clock = types.SimpleNamespace(time=time.time, monotonic=lambda: next(now))
    monkeypatch.setattr(failures_lib, "time", clock)
    failures.note(failure("eval_job"))
    failures.note(failure("reverb_server", 137))
    failures.note(failure("actor-0"))
    failures.note(failure("learner", restart_in_s=None))
    last = failures.why(set()).splitlines()[-1]
    assert last.startswith("the first to fail: reverb_server failed")


def test_one_that_fails_again_and_again_is_shown_once(failures: Failures) -> None:
    """By what it said last."""
    failures.note(failure("learner"))
    failures.note(failure("learner", restart_in_s=None))
    assert "\n" not in failures.why(set())
