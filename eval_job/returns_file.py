"""The files that hold the evaluations of a run: one row each."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np


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


def append(path: Path, row: Row) -> None:
    """Appends a row to a CSV file; an empty one gets its header first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Row)])
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow(dataclasses.asdict(row))


def read(path: Path) -> list[Row]:
    """Reads all rows of a CSV file; none if there is no file yet."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            Row(
                **{
                    field.name: (int if str(field.type) == "int" else float)(
                        line[field.name]
                    )
                    for field in dataclasses.fields(Row)
                }
            )
            for line in csv.DictReader(file)
        ]
