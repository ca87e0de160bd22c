"""eval_job/returns_file.py: rows, and the file that holds them."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np

from eval_job import returns_file
from eval_job.returns_file import Row

# Numbers that a format with a fixed number of digits would change.
ROWS = [
    Row(0, 100, 1.5, 9.3, 0.1 + 0.2, 8.0, 1e-7, 10),
    Row(200_000, 2**53 + 1, 1e5 / 3, -1e20, 0.0, -np.pi, 500.0, 1),
]


def test_a_row_sums_up_the_returns() -> None:
    """By plain Python numbers, the standard deviation that of the episodes played."""
    row = Row.of(np.array([1.0, 2.0, 6.0, 7.0]), 30, 400, 5.00049)
    assert row == Row(30, 400, 5.0, 4.0, np.sqrt(6.5), 1.0, 7.0, 4)
    kinds = {type(value) for value in dataclasses.astuple(row)}
    assert kinds == {int, float}


def test_what_is_written_is_read_back_exactly(tmp_path: Path) -> None:
    """Types too; the folder is made."""
    path = tmp_path / "eval" / "returns.csv"
    for row in ROWS:
        returns_file.append(path, row)
    read = returns_file.read(path)
    assert read == ROWS
    assert type(read[1].env_steps) is int
    assert type(read[1].max_return) is float


def test_the_header_is_written_once_and_names_the_columns(tmp_path: Path) -> None:
    """For programs that know nothing of this one."""
    path = tmp_path / "returns.csv"
    for row in [*ROWS, *ROWS]:
        returns_file.append(path, row)
    with path.open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == [
        "train_step",
        "env_steps",
        "wall_time_s",
        "average_return",
        "std_return",
        "min_return",
        "max_return",
        "episodes",
    ]
    assert len(lines) == 4
    assert all(line[0].isdigit() for line in lines)


def test_no_file_holds_no_rows(tmp_path: Path) -> None:
    """Nor is one made by looking."""
    assert returns_file.read(tmp_path / "returns.csv") == []
    assert not list(tmp_path.iterdir())


def test_an_empty_file_gets_its_header_too(tmp_path: Path) -> None:
    """A process was killed, or the disk was full, before it was written."""
    path = tmp_path / "returns.csv"
    path.touch()
    assert returns_file.read(path) == []
    returns_file.append(path, ROWS[0])
    assert returns_file.read(path) == ROWS[:1]
