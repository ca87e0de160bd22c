"""The files that hold the evaluations of a run: one row each."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from experiment import run_dir


@dataclasses.dataclass(frozen=True)
class Row:
    """One evaluation; the fields are the columns of the file.

    Attributes:
      train_step: Of the weights that earned these returns.
      env_steps: The run's environment steps when the evaluation began.
      wall_time_s: Seconds from the start of the run to the end of the evaluation.
      average_return: Mean over the episodes.
      std_return: Standard deviation over the episodes.
      min_return: Worst episode.
      max_return: Best episode.
      episodes: How many.
    """

    train_step: int
    env_steps: int
    wall_time_s: float
    average_return: float
    std_return: float
    min_return: float
    max_return: float
    episodes: int

    @classmethod
    def of(
        cls, returns: np.ndarray, train_step: int, env_steps: int, wall_time_s: float
    ) -> Row:
        """Sums up the returns [episodes] of one evaluation."""
        return cls(
            train_step=train_step,
            env_steps=env_steps,
            wall_time_s=round(wall_time_s, 3),
            average_return=float(returns.mean()),
            std_return=float(returns.std()),
            min_return=float(returns.min()),
            max_return=float(returns.max()),
            episodes=len(returns),
        )

    def figures(self) -> dict[str, Any]:
        """For the telemetry, see `reverb_server.figures`."""
        return {
            "average_return": self.average_return,
            "std_return": self.std_return,
            "train_step": self.train_step,
        }


_NAMES = [field.name for field in dataclasses.fields(Row)]


def append(path: Path, row: Row) -> None:
    """Appends a row to a CSV file; an empty one gets its header first.

    Raises:
      OSError: The disk is full, say; the file is as it was.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, _NAMES, lineterminator="\n")
    if not path.exists() or not path.stat().st_size:
        writer.writeheader()
    writer.writerow(dataclasses.asdict(row))
    run_dir.append_text(path, text.getvalue())


def read(path: Path) -> list[Row]:
    """Reads all whole rows of a CSV file; none if there is no file yet."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return parse(file)


def parse(lines: Iterable[str]) -> list[Row]:
    """The whole rows among lines of a CSV file."""
    rows = []
    for line in csv.DictReader(lines, _NAMES):
        # The header, or cut off by a kill.
        with contextlib.suppress(TypeError, ValueError):
            rows.append(_row(line))
    return rows


def _row(line: dict[str, str]) -> Row:
    kinds = {"int": int, "float": float}
    fields = dataclasses.fields(Row)
    return Row(**{each.name: kinds[str(each.type)](line[each.name]) for each in fields})
