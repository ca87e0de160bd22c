"""What presets have learned: a page with a row and a curve for each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from benchmarks.report import table
from eval_job.returns_file import Row

_TITLE = """# Results

What the presets have learned, each with so many seeds, by the real system of several
processes. *Return* is that of the exported greedy policy on 10 fresh episodes for each
seed, after the run had ended (of a run whose time was over: of its last evaluation):
mean over the seeds, and from the worst to the best of them. The other numbers are means
over the seeds too: environment steps and updates of the weights that were judged last;
seconds from the start of the command to the end of the run, with the last evaluation
and the videos. In a curve, a run that has ended keeps its last return. Each line is of
its command, with the code of its commit, on 2 cores that had other work to do at times:
the seconds are no benchmark ([performance](performance.md) has those).

"""

# Points of a mean curve.
_POINTS = 200


def picture_of(name: str) -> str:
    """Where the curve of a row is, from the folder of the page."""
    return f"images/results/{name}.png"


def add(page: Path, row: Mapping[str, Any]) -> None:
    """Adds a row to the page, or puts it in the place of the old one of this name.

    Args:
      page: A Markdown file; it is made if it is not there.
      row: Texts and numbers by column, the first of which names it.
    """
    name = next(iter(row))
    kept = [other for other in rows(page) if other[name] != row[name]]
    kept.append({column: _cell(value) for column, value in row.items()})
    kept.sort(key=lambda each: str(each[name]))
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(_TITLE + table(kept) + "\n")


def rows(page: Path) -> list[dict[str, str]]:
    """Those that the page has, by column; none if it is not there."""
    lines = page.read_text().splitlines() if page.exists() else []
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|") and not re.fullmatch(r"[|:\- ]+", line)
    ]
    return [dict(zip(cells[0], values)) for values in cells[1:]]


def _cell(value: Any) -> str:
    return f"{value:,.0f}" if isinstance(value, (int, float)) else str(value)


def draw(path: Path, title: str, runs: Sequence[Sequence[Row]]) -> None:
    """Draws the average returns of runs over environment steps.

    Args:
      path: PNG file to write.
      title: Above the picture.
      runs: The evaluations of each; a run that has ended keeps its last return.
    """
    figure, axes = plt.subplots(figsize=(8, 4.5), dpi=120, layout="constrained")
    grid = np.linspace(0, max(rows[-1].env_steps for rows in runs), _POINTS)
    returns = np.stack(
        [
            np.interp(
                grid,
                [row.env_steps for row in rows],
                [row.average_return for row in rows],
            )
            for rows in runs
        ]
    )
    for each in returns:
        axes.plot(grid, each, color="tab:blue", alpha=0.25, linewidth=1)
    axes.plot(grid, returns.mean(0), color="tab:blue", label=f"mean of {len(runs)}")
    axes.set(xlabel="environment steps", ylabel="return", title=title)
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)
