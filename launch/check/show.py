"""How the findings are printed: in columns in a terminal, in plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import Callable, NamedTuple, Union

from rich.console import Console
from rich.table import Table
from rich.text import Text

from launch.doctor.finding import FAIL, OK, WARN, Finding

_COLOURS = {OK: "green", WARN: "yellow", FAIL: "bold red"}

# Widths of level and name.
_LEVEL, _NAME = 4, 24


class Title(NamedTuple):
    """Begins a group of findings.

    Attributes:
      text: What they are about.
    """

    text: str


Show = Callable[[Union[Title, Finding, str]], None]


def printer() -> Show:
    """Prints what it is given, each at once."""
    if not sys.stdout.isatty():
        return lambda what: print(_plain(what), flush=True)
    console = Console()
    return lambda what: console.print(_rich(what))


def _plain(what: Title | Finding | str) -> str:
    if isinstance(what, Title):
        return f"\n{what.text}"
    if isinstance(what, Finding):
        return f"{what.level:{_LEVEL}}  {what.name:{_NAME}} {_words(what)}"
    return what


def _rich(what: Title | Finding | str) -> Text | Table:
    """The same; long texts are broken within their column."""
    if isinstance(what, Title):
        return Text(f"\n{what.text}", "bold")
    if not isinstance(what, Finding):
        return Text(what)
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=_LEVEL + 1)
    grid.add_column(width=_NAME)
    grid.add_column(ratio=1)
    level = Text(what.level, _COLOURS[what.level])
    grid.add_row(level, Text(what.name), Text(_words(what)))
    return grid


def _words(finding: Finding) -> str:
    """What was found, and the remedy."""
    return "; ".join(filter(None, (finding.text, finding.remedy)))
