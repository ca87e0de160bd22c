"""What is wrong, as the figures of a process tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reverb_server import figures


def of(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a process could not do, or who waits for whom.

    Args:
      row: The newest value of each of its figures; empty before there is any.

    Yields:
      The figure that tells it, and a line for people.
    """
    if not row:
        return
    who = figures.process_name(row["role"], row.get("task", 0))
    if row.get("problem"):
        yield "problem", f"problem: {who}: {row['problem']}"
    if row.get("environment_stalled_s"):
        yield (
            "environment_stalled_s",
            f"problem: {who}: an environment has not come back for "
            f"{row['environment_stalled_s']} s, see its log",
        )
    if row.get("stall"):
        yield "stall", f"waiting: {row['stall']}"


def begun(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Lines about what has gone wrong from one moment to the next.

    Args:
      before: The newest value of each figure of a process.
      after: The same, later.
    """
    known = {figure for figure, _ in of(before)}
    return [line for figure, line in of(after) if figure not in known]
