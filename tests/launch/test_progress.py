"""launch/progress.py: figures are read as they come, each once."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from experiment import run_dir
from launch.progress import Progress
from tests.launch.rows import LEARNER, SERVER, Metrics


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    """Holds nothing yet."""
    return Metrics(tmp_path)


def test_before_the_first_figures_nothing_is_known(metrics: Metrics) -> None:
    """The file need not be there, nor has the run ended."""
    progress = Progress(metrics.folder)
    progress.read()
    assert progress.status is None
    assert progress.stall is None
    assert progress.troubles == progress.take_news() == []
    assert progress.returns == []
    assert progress.random_return is None
    assert progress.figure("learner", "train_step") is None
    assert progress.growth_per_s("learner", "train_step") is None


def test_what_is_wrong_is_known_for_as_long_as_it_is(metrics: Metrics) -> None:
    """Who waits for whom, which the server says, comes last."""
    stalled = {"role": "actor", "task": 1, "environment_stalled_s": 12}
    progress = metrics.progress(
        {**SERVER, "stall": "the learner waits"},
        {**LEARNER, "problem": "no space"},
        stalled,
    )
    assert progress.troubles == [
        "problem: actor-1: an environment has not come back for 12 s, see its log",
        "problem: learner: no space",
        "waiting: the learner waits",
    ]
    assert progress.stall == "the learner waits"
    metrics.append(
        {**SERVER, "stall": None},
        {**LEARNER, "problem": None},
        {**stalled, "environment_stalled_s": 0},
    )
    progress.read()
    assert progress.troubles == []
    assert progress.stall is None


def test_figures_that_cannot_be_written_are_a_trouble(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server touches the file then; one that is merely old is no trouble."""
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    progress = Progress(metrics.folder)

    def look_later(*rows: dict[str, Any]) -> list[str]:
        nonlocal now
        now += 6
        metrics.append(*rows)
        os.utime(metrics.path, ns=(0, round(now * 1e9)))
        progress.read()
        return progress.troubles

    assert look_later() == []  # The file is made before there is a row.
    assert look_later(SERVER) == look_later() == look_later() == []
    (line,) = look_later()
    assert line.startswith(f"problem: {metrics.path} cannot be written")
    assert look_later() == [line]
    assert look_later(SERVER) == []
    now += 60
    progress.read()
    assert progress.troubles == []
    assert progress.take_news() == [line]


def test_only_the_beginning_of_a_trouble_is_news(metrics: Metrics) -> None:
    """The seconds in its sentence grow, and many a look at the file finds no row."""
    progress = Progress(metrics.folder)
    said = []
    for stall in (None, "for 10 s", "for 12 s", None, None, "for 10 s"):
        metrics.append({**SERVER, "stall": stall})
        for _ in range(2):
            progress.read()
            said.append(progress.take_news())
    begun = [number for number, news in enumerate(said) if news]
    assert begun == [2, 10]
    assert said[2] == said[10] == ["waiting: for 10 s"]


def test_news_wait_until_they_are_taken(metrics: Metrics) -> None:
    """However often the file is read before."""
    progress = metrics.progress({**LEARNER, "problem": "no space"})
    progress.read()
    assert progress.take_news() == ["problem: learner: no space"]
    assert progress.take_news() == []


def test_each_evaluation_is_known_as_soon_as_it_is_kept(metrics: Metrics) -> None:
    """Quick ones, equal ones, those of before a resume: all that the file has."""
    metrics.judge(-7.5, 9.0)
    progress = Progress(metrics.folder)
    found = []
    for averages in ((), (9.0, 9.0), (), (30.0,)):
        metrics.judge(*averages)
        progress.read()
        found.append(len(progress.returns))
    assert found == [2, 4, 4, 5]
    assert progress.returns == [-7.5, 9.0, 9.0, 9.0, 30.0]


def test_the_random_policy_is_known_once_it_was_judged(metrics: Metrics) -> None:
    """It is no return of trained weights."""
    progress = Progress(metrics.folder)
    progress.read()
    assert progress.random_return is None
    metrics.judge(21.5, name=run_dir.RANDOM_RETURNS)
    progress.read()
    assert progress.random_return == 21.5
    assert progress.returns == []


def test_a_file_that_has_not_grown_is_not_opened(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for many times a second."""
    metrics.judge(9.0)
    progress = metrics.progress(SERVER)
    monkeypatch.setattr(Path, "open", None)
    progress.read()


def test_each_row_is_read_once(metrics: Metrics) -> None:
    """What was read may be gone: the file is not read from its start again."""
    progress = metrics.progress(SERVER)
    metrics.path.write_text(metrics.path.read_text().replace("12345", "54321"))
    metrics.append(LEARNER)
    progress.read()
    assert progress.figure("reverb_server", "env_steps") == 12_345
    assert progress.figure("learner", "train_step") == 6_789


def test_a_half_written_line_is_left_for_later(metrics: Metrics) -> None:
    """Wherever it is cut: the server writes while this reads."""
    progress = metrics.progress(SERVER)
    with metrics.path.open("a") as file:
        for character in json.dumps(LEARNER):
            file.write(character)
            file.flush()
            progress.read()
            assert progress.figure("learner", "train_step") is None
        file.write("\n")
    progress.read()
    assert progress.figure("learner", "train_step") == 6_789


def test_what_the_file_holds_at_first_is_of_an_earlier_run(metrics: Metrics) -> None:
    """A resumed run has not ended because the one before it has."""
    metrics.append(SERVER, LEARNER, {"role": "run", "status": "max_train_steps"})
    progress = Progress(metrics.folder)
    progress.read()
    assert progress.status is None
    assert progress.figure("learner", "train_step") is None
    metrics.append({**LEARNER, "train_step": 7_000})
    progress.read()
    assert progress.figure("learner", "train_step") == 7_000


def test_the_end_of_the_run_is_its_status(metrics: Metrics) -> None:
    """Whatever comes after it."""
    end = {"role": "run", "status": "target_reached", "train_step": 10}
    assert metrics.progress(SERVER, end, SERVER).status == "target_reached"


def test_it_is_known_when_a_process_was_heard_of(metrics: Metrics) -> None:
    """One that was started again is another one."""
    begun = time.monotonic()
    progress = metrics.progress({"role": "actor", "task": 1, "pid": 77})
    heard_at = progress.heard_at("actor", 1, pid=77)
    assert heard_at is not None
    assert begun <= heard_at <= time.monotonic()
    assert progress.heard_at("actor", 1) == heard_at
    assert progress.heard_at("actor", 1, pid=78) is None
    assert progress.heard_at("actor", 0) is None


def test_a_process_has_worked_once_it_has_its_figure(metrics: Metrics) -> None:
    """That of an earlier life does not count."""
    progress = metrics.progress(
        {"role": "actor", "task": 0, "pid": 1},
        {"role": "actor", "task": 0, "pid": 2, "env_steps": 5},
        {"role": "actor", "task": 0, "pid": 3},
    )
    worked = [progress.has_worked("actor", 0, pid) for pid in (1, 2, 3)]
    assert worked == [False, True, False]
    assert not progress.has_worked("actor", 1, 2)


def test_the_growth_of_counts_is_that_of_the_newest_life(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A learner that was started again goes back, which is no negative rate."""
    progress = Progress(metrics.folder)
    looks = [(0.0, 1, 100), (2.0, 1, 300), (4.0, 2, 50), (6.0, 2, 90)]
    rates = []
    for now, pid, train_step in looks:
        monkeypatch.setattr(time, "monotonic", lambda now=now: now)
        metrics.append({**LEARNER, "pid": pid, "train_step": train_step})
        progress.read()
        rates.append(progress.growth_per_s("learner", "train_step"))
    assert rates == [None, 100.0, None, 20.0]


def test_rows_that_are_read_late_make_no_rate(metrics: Metrics) -> None:
    """Two at once, after a moment in which the launcher could not read."""
    rows = ({**LEARNER, "pid": 1, "waited_s": waited} for waited in (1.0, 3.0))
    progress = metrics.progress(*rows)
    assert progress.growth_per_s("learner", "waited_s") is None


def test_a_row_without_figures_hides_none(metrics: Metrics) -> None:
    """The learner says that it has let the replay table be stored."""
    stored = {"role": "learner", "task": 0, "snapshot": {"train_step": 1, "path": "x"}}
    progress = metrics.progress(LEARNER, stored)
    assert progress.figure("learner", "policy_lag") == 31.4
