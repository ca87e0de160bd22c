"""launch/state.py: what each process of a run does, and what holds the run back."""

from __future__ import annotations

import signal
import time
import types
from pathlib import Path
from typing import Any

import pytest

from launch import state as state_lib
from launch.progress import Progress
from launch.state import Life, of_actors_elsewhere, of_roles, of_worker, run_state
from tests.launch.rows import LEARNER, SERVER, Metrics, actors, run_of

PID = 77


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    """Holds nothing yet."""
    return Metrics(tmp_path)


def actor(**figures: Any) -> dict[str, Any]:
    """A row of an actor."""
    row = {"role": "actor", "task": 0, "pid": PID, "cpu_percent": 50.0}
    return {**row, "memory_mb": 500, **figures}


def worker(
    exit_code: int | None = None,
    restart_in_s: float | None = None,
    is_buried: bool = True,
) -> Any:
    """What a `Worker` tells of its process."""
    return types.SimpleNamespace(
        role=types.SimpleNamespace(module="actor", task=0, name="actor-0"),
        child=types.SimpleNamespace(pid=PID, exit_code=exit_code, is_buried=is_buried),
        restart_in_s=restart_in_s,
        restarts=2,
    )


@pytest.mark.parametrize(
    ("row", "life"),
    [
        (actor(pid=PID - 1, env_steps=5), Life.STARTING),
        (actor(), Life.STARTING),
        (actor(env_steps=5), Life.RUNNING),
    ],
    ids=["an earlier one", "no figures", "at work"],
)
def test_a_process_starts_until_it_is_at_work(
    row: dict[str, Any], life: Life, metrics: Metrics
) -> None:
    """The figures of one that died are not its own."""
    found = of_worker(worker(), metrics.progress(row))
    assert (found.name, found.life, found.restarts) == ("actor-0", life, 2)


def test_a_process_at_work_is_shown_with_its_figures(metrics: Metrics) -> None:
    """Its own ones."""
    row = actor(env_steps=5, env_steps_per_s=123.4, waited_s=1.0)
    found = of_worker(worker(), metrics.progress(row))
    assert (found.per_s, found.cpu_percent, found.memory_mb) == (123.4, 50.0, 500)
    assert found.silent_s is not None
    assert 0 <= found.silent_s < 10


@pytest.mark.parametrize(
    ("waited_s", "life"), [(1.0, Life.RUNNING), (6.0, Life.WAITING)]
)
def test_one_that_waits_most_of_the_time_is_waiting(
    waited_s: float, life: Life, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its last 10 seconds."""
    progress = Progress(metrics.folder)
    for now, waited in ((0.0, 0.0), (10.0, waited_s)):
        monkeypatch.setattr(time, "monotonic", lambda now=now: now)
        metrics.append(actor(env_steps=5, waited_s=waited))
        progress.read()
    found = of_worker(worker(), progress)
    assert (found.life, found.waited) == (life, waited_s / 10)


def test_one_that_was_heard_of_and_is_no_more_is_silent(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nobody knows how fast it is."""
    progress = metrics.progress(actor(env_steps=5, env_steps_per_s=9.0))
    monkeypatch.setattr(state_lib, "_SILENT_S", -1.0)
    found = of_worker(worker(), progress)
    assert (found.life, found.per_s) == (Life.SILENT, None)


@pytest.mark.parametrize(
    ("exit_code", "restart_in_s", "life"),
    [
        (0, None, Life.FINISHED),
        (128 + signal.SIGTERM, None, Life.FINISHED),
        (1, None, Life.FAILED),
        (137, 4.0, Life.RESTARTING),
    ],
)
def test_one_that_has_ended_has_no_figures(
    exit_code: int, restart_in_s: float | None, life: Life, metrics: Metrics
) -> None:
    """But a life after this one, perhaps."""
    progress = metrics.progress(actor(env_steps=5))
    found = of_worker(worker(exit_code, restart_in_s), progress)
    assert (found.life, found.restart_in_s) == (life, restart_in_s)
    assert found.cpu_percent is found.memory_mb is found.silent_s is None


def test_a_death_that_nobody_has_looked_at_is_no_failure_yet(metrics: Metrics) -> None:
    """A moment later it is started again, most likely."""
    found = of_worker(worker(1, is_buried=False), metrics.progress())
    assert found.life is Life.RESTARTING
    state = run_of(metrics.progress(), needed("learner", Life.RESTARTING))
    assert state.headline == "learner has died"


def test_all_are_ending_when_the_run_has_ended(metrics: Metrics) -> None:
    """Until they are gone."""
    end = {"role": "run", "status": "max_train_steps"}
    found = of_worker(worker(), metrics.progress(actor(env_steps=5), end))
    assert found.life is Life.ENDING


def test_what_roles_of_one_process_take_is_shown_once(metrics: Metrics) -> None:
    """It is that of all together."""
    shared = {"pid": PID, "cpu_percent": 90.0, "memory_mb": 700}
    rows = [{**SERVER, **shared}, {**LEARNER, **shared}, actor(env_steps=1, **shared)]
    found = of_roles(metrics.progress(*rows))
    assert [each.name for each in found] == [
        "reverb_server",
        "actor",
        "learner",
        "eval_job",
    ]
    assert [each.memory_mb for each in found] == [700, None, None, None]
    assert [each.life for each in found] == [*[Life.RUNNING] * 3, Life.STARTING]


def test_the_seconds_are_those_of_the_command(metrics: Metrics) -> None:
    """This one has run for a moment."""
    assert run_state(metrics.progress(SERVER), []).seconds > 0


def test_the_time_left_follows_from_the_last_seconds(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not known before there are some, nor asked for after the end."""
    progress = Progress(metrics.folder)
    left = []
    for now, train_step in ((0.0, 0), (5.0, 1_000)):
        monkeypatch.setattr(time, "monotonic", lambda now=now: now)
        metrics.append({**LEARNER, "train_step": train_step, "max_train_steps": 4_000})
        progress.read()
        left.append(run_of(progress).seconds_left)
    metrics.append({"role": "run", "status": "target_reached"})
    progress.read()
    left.append(run_of(progress).seconds_left)
    assert left == [None, 15.0, None]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "starting"),
        ([SERVER], "collecting: the learner still starts"),
        ([SERVER, LEARNER], "training: who waits for whom is not known yet"),
        ([{**SERVER, "stall": "no actor"}, LEARNER], "waiting: no actor"),
        ([SERVER, {"role": "run", "status": "target_reached"}], "ended (target reach"),
    ],
)
def test_the_headline_says_what_the_run_does(
    rows: list[dict[str, Any]], said: str, metrics: Metrics
) -> None:
    """From its start to its end."""
    assert run_of(metrics.progress(*rows)).headline.startswith(said)


def needed(role: str, life: Life, **figures: Any) -> state_lib.ProcessState:
    """A process that the run cannot go on without."""
    return state_lib.ProcessState(role, 0, role, life, **figures)


@pytest.mark.parametrize(
    ("lives", "said"),
    [
        ({"learner": Life.FAILED}, "learner has failed, its log says why"),
        (
            {"learner": Life.RESTARTING},
            "learner has died, and is started again in 4 s",
        ),
        ({"learner": Life.STARTING}, "learner has been started again, and loads"),
        ({"eval_job": Life.SILENT}, "eval_job has not been heard of for 14 s"),
        (
            {"reverb_server": Life.STARTING, "learner": Life.SILENT},
            "reverb_server has been started again, and loads",
        ),
        (
            {"learner": Life.SILENT, "eval_job": Life.RESTARTING},
            "eval_job has died, and is started again in 4 s",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_who_is_missing_comes_before_who_waits(
    lives: dict[str, Life], said: str, metrics: Metrics
) -> None:
    """The server first, since all others are heard of through it."""
    progress = metrics.progress({**SERVER, "stall": "no learner"}, LEARNER)
    usual: dict[str, Any] = {"restart_in_s": 4.0, "restarts": 1, "silent_s": 14.0}
    processes = [
        needed(role, lives.get(role, Life.RUNNING), **usual)
        for role in ("reverb_server", "learner", "eval_job")
    ]
    state = run_of(progress, *processes, *actors([Life.RUNNING] * 2, waited=0.0))
    assert state.headline == said


def test_an_actor_is_not_missed(metrics: Metrics) -> None:
    """The run goes on with the others; nor is it told that all start for once."""
    progress = metrics.progress(SERVER, LEARNER)
    processes = [
        needed("learner", Life.RUNNING, waited=0.0),
        needed("eval_job", Life.STARTING),
        *actors([Life.RUNNING], waited=0.0),
        *actors([Life.FAILED]),
    ]
    state = run_of(progress, *processes)
    assert state.headline == "training: nobody waits for anybody"


def test_no_time_is_left_of_a_learner_that_is_gone(metrics: Metrics) -> None:
    """Nor is it as fast as it was."""
    progress = metrics.progress(SERVER, {**LEARNER, "max_train_steps": 9_000})
    state = run_of(progress, needed("learner", Life.RESTARTING, restart_in_s=1.0))
    assert state.per_s("learner") is None
    assert state.seconds_left is None


def test_in_the_end_all_have_ended(metrics: Metrics) -> None:
    """Whether the run was through or not."""
    states = actors([Life.FINISHED, Life.FAILED])
    assert run_of(metrics.progress(SERVER, LEARNER), *states).headline == (
        "all processes have ended"
    )


def test_before_the_first_update_the_learner_starts_or_waits(metrics: Metrics) -> None:
    """For the replay table to be filled, which may take long."""
    learner = state_lib.ProcessState("learner", 0, "learner", Life.WAITING, waited=0.9)
    headline = run_of(metrics.progress(SERVER), learner).headline
    assert headline == "collecting: the learner waits for the first experience"


@pytest.mark.parametrize(
    ("learner", "actor_share", "said"),
    [
        (0.6, 0.0, "the learner waits 60% of its time for experience"),
        (0.0, 0.45, "actors wait 45% of their time for the learner"),
        (0.05, 0.09, "nobody waits for anybody"),
    ],
)
def test_the_headline_says_who_holds_the_run_back(
    learner: float, actor_share: float, said: str, metrics: Metrics
) -> None:
    """Whoever is waited for."""
    progress = metrics.progress(SERVER, LEARNER)
    processes = [
        state_lib.ProcessState("learner", 0, "learner", Life.RUNNING, waited=learner),
        *actors([Life.RUNNING] * 2, waited=actor_share),
        *actors([Life.STARTING]),
    ]
    assert said in run_of(progress, *processes).headline


def test_actors_elsewhere_are_known_by_what_they_send(metrics: Metrics) -> None:
    """Whoever has not joined yet is awaited."""
    progress = metrics.progress(actor(task=3, env_steps=5))
    found = of_actors_elsewhere(progress, range(3, 5))
    assert [(each.name, each.life) for each in found] == [
        ("actor-3", Life.RUNNING),
        ("actor-4", Life.STARTING),
    ]
