"""launch/report/metrics.py: figures, read from any file in bounded time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from launch.report import metrics
from tests.launch.report import a_folder


def test_figures_are_kept_for_each_life_of_each_process(tmp_path: Path) -> None:
    """A process that was started again is another one."""
    rows = [
        a_folder.row("actor", 1, 0, env_steps=10),
        a_folder.row("actor", 1, 1, env_steps=20),
        a_folder.row("actor", 3, 1, env_steps=40),
        a_folder.row("actor", 9, 1, env_steps=5, pid=99),
    ]
    a_folder.write_metrics(tmp_path, rows)
    found = metrics.read(tmp_path / "metrics.jsonl")
    names = [each.name for each in found.of("actor")]
    assert names == ["actor-0", "actor-1", "actor-1"]
    times, values = found.lives[1].points("env_steps")
    assert (times - a_folder.STARTED_AT).tolist() == [1, 3]
    assert values.tolist() == [20, 40]


@pytest.mark.parametrize(
    "rows",
    [
        [{"env_steps": 40}, {"env_steps": 40, "waited_s": 2}, {"env_steps": 5}],
        [{"env_steps": 1}, {"env_steps": 1, "has_left": True}, {"env_steps": 3}],
        [{"waited_s": 2.5}, {}, {"waited_s": 0.5}],
    ],
    ids=["a count falls", "it has left", "a count falls after a row without it"],
)
def test_in_containers_lives_have_the_same_process_id(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    """And the same host."""
    sent = [a_folder.row("actor", n, **row) for n, row in enumerate(rows)]
    a_folder.write_metrics(tmp_path, sent)
    lives = metrics.read(tmp_path / "metrics.jsonl").lives
    assert [len(life.times) for life in lives] == [2, 1]


def test_two_processes_that_both_think_they_are_one_are_two_lives(
    tmp_path: Path,
) -> None:
    """One that hung goes on, beside the one that took its place."""
    rows = [
        a_folder.row("actor", n, env_steps=100 * (n % 2) + n, pid=n % 2)
        for n in range(6)
    ]
    a_folder.write_metrics(tmp_path, rows)
    lives = metrics.read(tmp_path / "metrics.jsonl").lives
    assert [len(life.times) for life in lives] == [3, 3]


def test_what_is_no_number_is_no_point(tmp_path: Path) -> None:
    """None before anything was measured, NaN, and rows about something else."""
    path = tmp_path / "metrics.jsonl"
    losses: list[Any] = [None, 0.5, float("nan"), "0.5", [], {}, 10**400]
    rows = [a_folder.row("learner", n, loss=loss) for n, loss in enumerate(losses)]
    rows.append(a_folder.row("learner", 9, pid=[1], host={}))
    rows.append(a_folder.row("learner", 9, snapshot={"train_step": 1, "path": None}))
    a_folder.write_metrics(tmp_path, rows)
    learner, foreign = metrics.read(path).lives
    assert learner.points("loss")[1].tolist() == [0.5]
    assert (len(learner.times), len(foreign.times)) == (8, 1)


@pytest.mark.parametrize(
    "line",
    [
        '{"role": "actor", "ti',
        "",
        "null",
        "[1]",
        "{}",
        '{"role": "actor"}',
        '{"role": "actor", "time": "now"}',
        '{"role": "actor", "time": [5]}',
        f'{{"role": "actor", "time": {10**400}}}',
        '{"role": "actor", "time": NaN}',
        '{"role": ["actor"], "time": 5}',
        '{"role": "actor", "time": 5, "task": {}}',
        "\0",
    ],
)
def test_lines_that_are_no_rows_are_left_out(tmp_path: Path, line: str) -> None:
    """A kill cuts off the last one, or a full disk one in the middle."""
    path = tmp_path / "metrics.jsonl"
    row = json.dumps(a_folder.row("learner", 1, train_step=5))
    path.write_text(f"{line}\n{row}\n{line}")
    [learner] = metrics.read(path).lives
    assert learner.points("train_step")[1].tolist() == [5]


def test_no_file_is_no_figures(tmp_path: Path) -> None:
    assert metrics.read(tmp_path / "metrics.jsonl") == metrics.Metrics()


def test_of_a_large_file_pieces_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first and the last row among them, and all parts of the run."""
    monkeypatch.setattr(metrics, "_PIECES", 20)
    monkeypatch.setattr(metrics, "_PIECE_BYTES", 2_000)
    monkeypatch.setattr(metrics, "_TAIL_BYTES", 2_000)
    rows = (a_folder.row("learner", n, train_step=n) for n in range(10_000))
    a_folder.write_metrics(tmp_path, rows)
    found = metrics.read(tmp_path / "metrics.jsonl")
    assert found.is_part
    [learner] = found.lives
    steps = learner.points("train_step")[1]
    assert steps[0] == 0
    assert steps[-1] == 9_999
    assert 20 <= len(steps) <= 42_000 / 100
    assert np.diff(steps).min() > 0
    assert np.diff(steps).max() < 10_000 / 15


def test_the_end_of_a_large_run_is_found_before_the_last_rows_of_hundreds(
    tmp_path: Path,
) -> None:
    """Each has still sent some."""
    with (tmp_path / "metrics.jsonl").open("w") as file:
        row = json.dumps(a_folder.row("learner", 1, train_step=1)) + "\n"
        file.write(row * (18 * 2**20 // len(row)))
        end = a_folder.row("run", 2, status="max_train_steps")
        rows = [end, *(a_folder.row("actor", 3, task) for task in range(1_000))]
        file.writelines(json.dumps(each) + "\n" for each in rows)
    found = metrics.read(tmp_path / "metrics.jsonl")
    assert found.is_part
    assert found.ended == end
    assert len(found.of("actor")) == 1_000


def test_words_are_noticed_when_they_begin(tmp_path: Path) -> None:
    """Each stall once, though its seconds change."""
    stalls = [None, "for 10 s", "for 12 s", None, "again"]
    rows = [a_folder.row("reverb_server", n, stall=s) for n, s in enumerate(stalls)]
    rows.append(a_folder.row("learner", 9, problem="no space"))
    # A row about a snapshot has no figures; the problem is the same.
    rows.append(a_folder.row("learner", 10, snapshot=None))
    rows.append(a_folder.row("learner", 11, problem="no space"))
    rows.append(a_folder.row("actor", 12, 1, environment_stalled_s=15))
    a_folder.write_metrics(tmp_path, rows)
    noticed = metrics.read(tmp_path / "metrics.jsonl").notices
    assert [(n.time - a_folder.STARTED_AT, n.text) for n in noticed] == [
        (1, "waiting: for 10 s"),
        (4, "waiting: again"),
        (9, "problem: learner: no space"),
        (
            12,
            "problem: actor-1: an environment has not come back for 15 s, see its log",
        ),
    ]


def test_the_end_of_the_run_is_known(tmp_path: Path) -> None:
    row = a_folder.row("run", 5, status="max_train_steps", train_step=7)
    a_folder.write_metrics(tmp_path, [row])
    assert metrics.read(tmp_path / "metrics.jsonl").ended == row


def test_a_wait_is_a_share_of_the_time_since_the_row_before(tmp_path: Path) -> None:
    waited = [0, 0.5, 2.5, 4.5, 6.5, 8.5, 10, 10]
    rows = [a_folder.row("actor", 2 * n, waited_s=w) for n, w in enumerate(waited)]
    a_folder.write_metrics(tmp_path, rows)
    [actor] = metrics.read(tmp_path / "metrics.jsonl").lives
    times, shares = actor.shares_waited()
    assert (times - a_folder.STARTED_AT).tolist() == [2, 4, 6, 8, 10, 12, 14]
    assert shares.tolist() == [0.25, 1, 1, 1, 1, 0.75, 0]
    assert metrics.share_waited([actor]) == pytest.approx(10 / 14)


def test_only_the_time_of_training_counts_if_that_is_asked(tmp_path: Path) -> None:
    """From the first update to the last figures of the learner."""
    rows = [
        a_folder.row("learner", 2 * n, waited_s=w, updates_per_s=r)
        for n, (w, r) in enumerate([(0, 0), (2, 0), (3.5, 9), (4, 9), (4.5, 9)])
    ]
    waited = [0, 2, 4, 5, 6, 8, 10]
    rows += [a_folder.row("actor", 2 * n, waited_s=w) for n, w in enumerate(waited)]
    a_folder.write_metrics(tmp_path, rows)
    found = metrics.read(tmp_path / "metrics.jsonl")
    [(begin, end)] = training = found.training()
    assert (begin - a_folder.STARTED_AT, end - a_folder.STARTED_AT) == (4, 8)
    assert metrics.share_waited(found.of("learner"), training) == 0.25
    assert metrics.share_waited(found.of("actor"), training) == 0.5
    assert metrics.share_waited(found.of("actor")) == pytest.approx(10 / 12)


def test_who_has_not_said_has_not_waited_a_known_time(tmp_path: Path) -> None:
    a_folder.write_metrics(tmp_path, [a_folder.row("actor", 1, waited_s=1.0)])
    lives = metrics.read(tmp_path / "metrics.jsonl").lives
    assert metrics.share_waited(lives) is None
    assert metrics.share_waited([]) is None
