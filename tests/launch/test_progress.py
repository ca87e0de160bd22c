"""launch/progress.py: figures are read as they come, and shown in one line."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from launch.progress import Progress

Append = Callable[..., None]

SERVER = {
    "role": "reverb_server",
    "task": 0,
    "env_steps": 12_345,
    "env_steps_per_s": 1_000.4,
    "replay_size": 5_000,
    "replay_max_size": 100_000,
}
LEARNER = {
    "role": "learner",
    "task": 0,
    "train_step": 6_789,
    "updates_per_s": 250.6,
    "policy_lag": 31.4,
}


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    """Does not exist yet."""
    return tmp_path / "metrics.jsonl"


@pytest.fixture
def append(metrics: Path) -> Append:
    """Appends rows, as the server does."""

    def write(*rows: dict[str, Any]) -> None:
        with metrics.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)

    return write


def evaluation(average: float, **figures: Any) -> dict[str, Any]:
    """A row of the eval job."""
    return {"role": "eval_job", "task": 0, "average_return": average, **figures}


def test_before_the_first_figures_it_is_starting(metrics: Path) -> None:
    """The file need not be there, nor has the run ended."""
    progress = Progress(metrics)
    progress.read()
    assert progress.line(61.9) == "01:01  starting"
    assert progress.status is None
    assert progress.figure("learner", "train_step") is None


def test_a_server_alone_has_not_started_a_run(metrics: Path, append: Append) -> None:
    """It says of itself that it is there; the others still import."""
    progress = Progress(metrics)
    append({**SERVER, "env_steps": 0, "stall": None})
    progress.read()
    assert progress.line(4) == "00:04  starting"


def test_who_waits_for_whom_is_a_line_of_its_own(metrics: Path, append: Append) -> None:
    """As long as the server says so."""
    progress = Progress(metrics)
    append({**SERVER, "stall": "the learner waits"}, LEARNER)
    progress.read()
    figures, stall = progress.line(40).splitlines()
    assert figures.startswith("00:40  train step 6,789")
    assert stall == "waiting: the learner waits"
    append({**SERVER, "env_steps": 0, "stall": "no actor"}, LEARNER)
    progress.read()
    assert progress.line(41).splitlines()[1] == "waiting: no actor"
    append({**SERVER, "stall": None})
    progress.read()
    assert progress.line(42).startswith("00:42  train step")
    assert "waiting" not in progress.line(42)


def test_only_the_beginning_of_a_wait_is_news(metrics: Path, append: Append) -> None:
    """The seconds in its sentence grow, and many a look at the file finds no row."""
    progress = Progress(metrics)
    said = []
    for stall in (None, "for 10 s", "for 12 s", None, None, "for 10 s"):
        append({**SERVER, "stall": stall})
        for _ in range(2):
            progress.read()
            said.append(progress.stall_is_new)
    assert [number for number, is_new in enumerate(said) if is_new] == [2, 10]


def test_other_roles_have_not_started_a_run(metrics: Path, append: Append) -> None:
    """The eval job says its target before anything is trained."""
    progress = Progress(metrics)
    append({"role": "eval_job", "task": 0, "target_return": 475.0})
    progress.read()
    assert progress.line(0) == "00:00  starting"


def test_the_line_has_the_newest_figures_of_all_roles(
    metrics: Path, append: Append
) -> None:
    """As people read numbers."""
    progress = Progress(metrics)
    append(SERVER, LEARNER, evaluation(30.06, target_return=475.0))
    progress.read()
    assert progress.line(3_725.2) == (
        "62:05  train step 6,789 (251/s)  env steps 12,345 (1,000/s)  "
        "replay 5,000/100,000  policy lag 31  return 30.1 (best 30.1, target 475)"
    )
    append({**LEARNER, "train_step": 7_000, "policy_lag": None})
    progress.read()
    line = progress.line(3_726)
    assert "train step 7,000 (" in line
    assert "policy lag -" in line
    assert "env steps 12,345" in line


def test_what_is_not_known_yet_is_0_or_left_out(metrics: Path, append: Append) -> None:
    """While the table fills, nobody trains."""
    progress = Progress(metrics)
    append(SERVER)
    progress.read()
    line = progress.line(5)
    assert "train step 0 (0/s)  env steps 12,345" in line
    assert "policy lag -" in line
    assert "return" not in line


def test_the_best_return_is_kept(metrics: Path, append: Append) -> None:
    """However often the file is read, and negative ones too."""
    progress = Progress(metrics)
    append(SERVER)
    for average in (-500.0, -90.5, -200.0):
        append(evaluation(average))
        progress.read()
    assert progress.line(0).endswith("return -200.0 (best -90.5)")


def test_returns_of_actors_are_not_those_of_the_greedy_policy(
    metrics: Path, append: Append
) -> None:
    """They explore."""
    progress = Progress(metrics)
    append(SERVER, evaluation(9.0))
    append({"role": "actor", "task": 0, "average_return": 500.0, "env_steps": 1})
    progress.read()
    line = progress.line(0)
    assert line.endswith("return 9.0 (best 9.0)")
    assert "env steps 12,345" in line


def test_each_row_is_read_once(metrics: Path, append: Append) -> None:
    """What was read may be gone: the file is not read from its start again."""
    progress = Progress(metrics)
    append(evaluation(9.0), SERVER)
    progress.read()
    text = metrics.read_text()
    metrics.write_text(text.replace("9.0", "8.0").replace("12345", "54321"))
    append(LEARNER)
    progress.read()
    line = progress.line(0)
    assert "env steps 12,345" in line
    assert "train step 6,789" in line
    assert "best 9.0" in line


def test_a_half_written_line_is_left_for_later(metrics: Path, append: Append) -> None:
    """Wherever it is cut: the server writes while this reads."""
    progress = Progress(metrics)
    append(SERVER)
    with metrics.open("a") as file:
        for character in json.dumps(LEARNER):
            file.write(character)
            file.flush()
            progress.read()
            assert progress.figure("learner", "train_step") is None
        file.write("\n")
    progress.read()
    assert progress.figure("learner", "train_step") == 6_789


def test_what_the_file_holds_at_first_is_of_an_earlier_run(
    metrics: Path, append: Append
) -> None:
    """A resumed run has not ended because the one before it has."""
    append(SERVER, LEARNER, {"role": "run", "status": "max_train_steps"})
    progress = Progress(metrics)
    progress.read()
    assert progress.status is None
    assert progress.line(0) == "00:00  starting"
    append({**LEARNER, "train_step": 7_000})
    progress.read()
    assert progress.figure("learner", "train_step") == 7_000


def test_the_end_of_the_run_is_its_status(metrics: Path, append: Append) -> None:
    """Whatever comes after it."""
    progress = Progress(metrics)
    append(SERVER, {"role": "run", "status": "target_reached", "train_step": 10})
    append(SERVER)
    progress.read()
    assert progress.status == "target_reached"


def test_it_is_known_when_a_process_was_heard_of(metrics: Path, append: Append) -> None:
    """One that was started again is another one."""
    progress = Progress(metrics)
    assert progress.heard_at("actor", 1) is None
    begun = time.monotonic()
    append({"role": "actor", "task": 1, "pid": 77})
    progress.read()
    heard_at = progress.heard_at("actor", 1, pid=77)
    assert heard_at is not None
    assert begun <= heard_at <= time.monotonic()
    assert progress.heard_at("actor", 1) == heard_at
    assert progress.heard_at("actor", 1, pid=78) is None
    assert progress.heard_at("actor", 0) is None


def test_a_row_without_figures_hides_none(metrics: Path, append: Append) -> None:
    """The learner says that it has let the replay table be stored."""
    progress = Progress(metrics)
    append(SERVER, LEARNER)
    progress.read()
    line = progress.line(0)
    append({"role": "learner", "task": 0, "snapshot": {"train_step": 1, "path": "x"}})
    progress.read()
    assert progress.line(0) == line
