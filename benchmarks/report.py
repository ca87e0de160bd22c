"""What a benchmark tells: the machine, a table for the reader, JSON for programs."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from tabulate import tabulate

from experiment import machine

_RESULTS = Path("benchmarks", "results")


def define_json(name: str) -> flags.FlagHolder[str | None]:
    """`--json`, of the benchmark of this name."""
    return flags.DEFINE_string(
        "json", None, f"File for the results; default: {_RESULTS / name}.json."
    )


def describe_machine() -> dict[str, Any]:
    """Where and with what is measured, and how busy the machine is right now."""
    return {
        **machine.describe(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }


@dataclasses.dataclass
class Report:
    """Make it before anything is measured: it notes the load of the machine.

    Attributes:
      name: Of the benchmark, and of its file.
      arguments: What it was started with.
      machine: See `describe_machine`.
      rows: What was measured, one after another.
      summary: What follows from the rows.
    """

    name: str
    arguments: Mapping[str, Any]
    machine: dict[str, Any] = dataclasses.field(default_factory=describe_machine)
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    summary: dict[str, Any] = dataclasses.field(default_factory=dict)

    def show(self, rows: Sequence[Mapping[str, Any]] | None = None) -> None:
        """Prints the machine and the rows, or others that are meant for the reader."""
        described = ", ".join(f"{key} {each}" for key, each in self.machine.items())
        print(f"\n{self.name}: {described}\n")
        print(table(self.rows if rows is None else rows), flush=True)

    def write(self, path: str | Path | None = None) -> Path:
        """Writes all of it as JSON.

        Args:
          path: The file; its folder is made. Default: named after the benchmark.
        """
        file = Path(path) if path else _RESULTS / f"{self.name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n")
        return file


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows, all with the same keys, as a table in GitHub's Markdown."""
    columns = zip(*(row.values() for row in rows))
    texts = [any(isinstance(value, str) for value in column) for column in columns]
    return tabulate(
        [[_cell(value) for value in row.values()] for row in rows],
        headers=list(rows[0]) if rows else (),
        tablefmt="github",
        colalign=["left" if text else "right" for text in texts],
        disable_numparse=True,
    )


def _cell(value: Any) -> str:
    """Three digits tell enough: 0.12, 1.23, 12.3, 123, 1,234."""
    if isinstance(value, float):
        size = abs(value)
        digits = 2 if size < 10 else 1 if size < 100 else 0  # noqa: PLR2004
        return f"{value:,.{digits}f}"
    return "-" if value is None else f"{value:,}" if type(value) is int else str(value)
