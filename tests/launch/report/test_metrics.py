"""launch/report/metrics.py: figures, read from any file in bounded time."""

from __future__ import annotations

import json
from pathlib import Path

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
    assert [(each.name, each.pid) for each in found.of("actor")] == [
        ("actor-0", 10),
        ("actor-1", 11),
        ("actor-1", 99),
    ]
    times, values = found.lives[1].points("env_steps")
    assert (times - a_folder.STARTED_AT).tolist() == [1, 3]
    assert values.tolist() == [20, 40]


def test_what_is_no_number_is_no_point(tmp_path: Path) -> None:
    """None before anything was measured, NaN, and rows about something else."""
    path = tmp_path / "metrics.jsonl"
    losses = [None, 0.5, float("nan"), "0.5"]
    rows = [a_folder.row("learner", n, loss=loss) for n, loss in enumerate(losses)]
    rows.append(a_folder.row("learner", 9, snapshot={"train_step": 1, "path": None}))
    a_folder.write_metrics(tmp_path, rows)
    [learner] = metrics.read(path).lives
    assert learner.points("loss")[1].tolist() == [0.5]
    assert len(learner.times) == 5


@pytest.mark.parametrize(
    "line",
    ['{"role": "actor", "ti', "", "null", "[1]", "{}", '{"role": "actor"}', "\0"],
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
    rows = (a_folder.row("learner", n, train_step=n) for n in range(10_000))
    a_folder.write_metrics(tmp_path, rows)
    [learner] = metrics.read(tmp_path / "metrics.jsonl").lives
    steps = learner.points("train_step")[1]
    assert steps[0] == 0
    assert steps[-1] == 9_999
    assert 20 <= len(steps) <= 40_000 / 100
    assert np.diff(steps).min() > 0
    assert np.diff(steps).max() < 10_000 / 15


def test_words_are_noticed_when_they_begin(tmp_path: Path) -> None:
    """Each stall once, though its seconds change."""
    stalls = [None, "for 10 s", "for 12 s", None, "again"]
    rows = [a_folder.row("reverb_server", n, stall=s) for n, s in enumerate(stalls)]
    rows.append(a_folder.row("learner", 9, problem="no space"))
    a_folder.write_metrics(tmp_path, rows)
    noticed = metrics.read(tmp_path / "metrics.jsonl").notices
    assert [(n.time - a_folder.STARTED_AT, n.text) for n in noticed] == [
        (1, "waiting: for 10 s"),
        (4, "waiting: again"),
        (9, "problem: no space"),
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


def test_who_has_not_said_has_not_waited_a_known_time(tmp_path: Path) -> None:
    a_folder.write_metrics(tmp_path, [a_folder.row("actor", 1, waited_s=1.0)])
    lives = metrics.read(tmp_path / "metrics.jsonl").lives
    assert metrics.share_waited(lives) is None
    assert metrics.share_waited([]) is None
