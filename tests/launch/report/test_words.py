"""launch/report/words.py: what is said of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from launch.report import run_files, words
from tests.launch.report import a_folder


def waiting(folder: Path, actors: float, learner: float) -> str:
    """What is said if they wait for such shares of their time."""
    rows = [
        a_folder.row(role, seconds, waited_s=share * seconds, updates_per_s=100)
        for seconds in range(10, 50, 2)
        for role, share in (("actor", actors), ("learner", learner))
    ]
    a_folder.write_metrics(a_folder.make(folder), rows)
    return words.bottleneck(run_files.read(folder))


@pytest.mark.parametrize(
    ("actors", "learner", "begins"),
    [
        (0.71, 0.04, "Actors wait 71% of their time for the learner, so it holds"),
        (0.02, 0.35, "The learner waits 35% of its time for experience, so the actors"),
        (0.05, 0.04, "Nobody waits for anybody."),
    ],
)
def test_who_others_waited_for_held_the_run_back(
    tmp_path: Path, actors: float, learner: float, begins: str
) -> None:
    assert waiting(tmp_path, actors, learner).startswith(begins)


def test_the_wait_for_the_first_experience_holds_nobody_back(tmp_path: Path) -> None:
    """Nor do actors that wait while the learner starts, or after it has ended."""
    rows = []
    for n in range(40):
        trained = min(max(0, n - 20), 10)  # From row 20 to row 30.
        waited_s = 2 * (n - trained)
        learner = {"updates_per_s": 100 if trained else 0, "waited_s": waited_s}
        rows.append(a_folder.row("actor", 2 * n, waited_s=waited_s))
        rows += [a_folder.row("learner", 2 * n, **learner)] if n <= 30 else []
    a_folder.write_metrics(a_folder.make(tmp_path), rows)
    text = words.bottleneck(run_files.read(tmp_path))
    assert text == "Nobody waits for anybody."


def test_who_has_not_said_is_not_blamed(tmp_path: Path) -> None:
    (a_folder.make(tmp_path) / "metrics.jsonl").unlink()
    assert words.bottleneck(run_files.read(tmp_path)).startswith("Not known")


def test_one_process_waits_for_nobody(tmp_path: Path) -> None:
    rows = a_folder.round_of_rows(10, 1) + a_folder.round_of_rows(12, 1)
    a_folder.write_metrics(a_folder.make(tmp_path, in_process=True), rows)
    run = run_files.read(tmp_path)
    assert words.bottleneck(run).startswith("One process")
    assert words.commands(run)[-1].endswith("--gin_file=run.gin --in_process --seed=3")


def test_processes_are_summed_up_over_their_lives(tmp_path: Path) -> None:
    """An actor counts its steps from 0 in each."""
    rows = [
        a_folder.row("actor", 1, 1, env_steps=100, memory_mb=700),
        a_folder.row("actor", 9, 1, env_steps=50, pid=99, memory_mb=300),
        a_folder.row("learner", 2, train_step=80),
        a_folder.row("learner", 9, train_step=60, pid=98),
        a_folder.row("reverb_server", 2),
    ]
    a_folder.write_metrics(a_folder.make(tmp_path), rows)
    server, actor, learner = words.processes(run_files.read(tmp_path))
    assert (server.name, server.steps, server.waited_percent) == (
        "reverb_server",
        None,
        None,
    )
    assert (actor.name, actor.starts, actor.steps) == ("actor-1", 2, 150)
    assert (actor.memory_mb, actor.cpu_percent) == (700, 50)
    assert (learner.starts, learner.steps) == (2, 80)


def test_a_run_that_was_killed_early_was_not_of_one_process(tmp_path: Path) -> None:
    """Though only one was heard of."""
    rows = [a_folder.row("reverb_server", 2)]
    a_folder.write_metrics(a_folder.make(tmp_path), rows)
    assert "--num_actors=2" in words.commands(run_files.read(tmp_path))[-1]


def test_environments_that_failed_are_counted_over_all_lives(tmp_path: Path) -> None:
    rows = [
        a_folder.row("actor", 1, environment_failures=2),
        a_folder.row("actor", 2, environment_failures=3),
        a_folder.row("actor", 9, environment_failures=1, pid=99),
        a_folder.row("learner", 9),
    ]
    a_folder.write_metrics(a_folder.make(tmp_path), rows)
    actor, learner = words.processes(run_files.read(tmp_path))
    assert (actor.failures, learner.failures) == (4, None)


def commands(folder: Path, **machine: str) -> list[str]:
    return words.commands(run_files.read(a_folder.make(folder, machine=machine)))


def test_the_commands_make_the_same_run(tmp_path: Path) -> None:
    run = "./launch/local.sh --gin_file=run.gin --num_actors=2 --seed=3"
    clean = commands(tmp_path / "a", commit="0123456789ab", antiphon="0.1.0")
    assert clean == ["git checkout 0123456789ab", run]
    checkout, note, _ = commands(tmp_path / "b", commit="0123456789ab-dirty")
    assert checkout == "git checkout 0123456789ab"
    assert note.startswith("# ")
    assert commands(tmp_path / "c", antiphon="0.1.0") == [run]
    assert commands(tmp_path / "d") == [run]


def test_the_outcome_is_told_as_far_as_it_is_known(tmp_path: Path) -> None:
    a_folder.finish(a_folder.make(tmp_path / "a"))
    full: dict[str, Any] = {
        n: v for n, v, _ in words.tiles(run_files.read(tmp_path / "a"))
    }
    assert full == {
        "last return": "500.0",
        "best return": "500.0",
        "random policy": "21.5",
        "train steps": "5,800",
        "env steps": "17,400",
        "wall time": "0:01:05",
        "to the target": "62 s",
    }
    bare = a_folder.make(tmp_path / "b", [])
    (bare / "eval" / "random_policy.csv").unlink()
    told = {n: v for n, v, _ in words.tiles(run_files.read(bare))}
    assert told["last return"] == "none yet"
    assert not {"random policy", "to the target"} & told.keys()


def test_counts_have_their_nouns() -> None:
    assert words.plural(1, "process") == "1 process"
    assert words.plural(2, "process") == "2 processes"
    assert words.plural(1_000, "run") == "1,000 runs"
