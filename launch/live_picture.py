"""What the live view draws: a headline, bars, a curve, a table, within the terminal."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence
from typing import Optional

from rich.console import Console, JustifyMethod, RenderableType
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from launch.duration import duration
from launch.sparkline import sparkline
from launch.state import Life, ProcessState, RunState
from reverb_server import figures

# Columns below which there is no space for bars; from which on there is more than is
# needed.
_NARROW, _WIDE = 60, 120

# Columns of a bar at least and at most, and what stands on both sides of it.
_BAR, _LONG_BAR, _BESIDE_BAR = 16, 60, 62

# Returns that make a curve.
_CURVE = 2

# Readable on light and on dark backgrounds; yellow would not be.
_STYLES = {
    Life.FAILED: "bold red",
    Life.RESTARTING: "dark_orange3",
    Life.SILENT: "dark_orange3",
    Life.STARTING: "cyan",
    Life.WAITING: "magenta",
    Life.RUNNING: "green",
    Life.ENDING: "cyan",
    Life.FINISHED: "dim",
}

# Columns of numbers, and those that a narrow terminal does without, the first first.
_RIGHT = ("speed", "waits", "CPU", "memory", "restarts", "heard")
_SPARE = ("heard", "memory", "restarts", "CPU", "speed", "waits")

_UNITS = {
    figures.SERVER: "inserts/s",
    figures.ACTOR: "steps/s",
    figures.LEARNER: "updates/s",
    figures.SHARD: "inserts/s",
}


def picture(console: Console, state: RunState) -> list[list[Segment]]:
    """Draws a run in lines that fit the terminal, with one to spare.

    Args:
      console: Where it will be shown.
      state: Of the run.
    """
    troubles = [
        Text(line, style="dark_orange3")
        for line in state.progress.troubles
        if not line.startswith("waiting: ")  # The headline has it.
    ]
    bars = _bars(console, state)
    known: list[RenderableType] = [bars, Text()] if bars.row_count else []
    above = _lines(console, [_headline(state), Text(), *known])
    below = _lines(console, troubles)
    room = console.height - 1 - len(above) - len(below)
    table = _table(_abridged(state.processes, room - 1), console.width)
    return [*above, *_lines(console, [table])[: max(room, 0)], *below][
        : console.height - 1
    ]


def _lines(console: Console, parts: Iterable[RenderableType]) -> list[list[Segment]]:
    return [line for part in parts for line in console.render_lines(part, pad=False)]


def _headline(state: RunState) -> Text:
    is_wrong = state.progress.stall or state.missing
    style = "bold dark_orange3" if is_wrong else "bold"
    return Text.assemble(f"{duration(state.seconds)}  ", (state.headline, style))


def _bars(console: Console, state: RunState) -> Table:
    """How far, how good, how full, how fast."""
    width = min(max(console.width - _BESIDE_BAR, _BAR), _LONG_BAR)
    has_bars = console.width >= _NARROW
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    if has_bars:
        grid.add_column(width=width, no_wrap=True, overflow="crop")
    grid.add_column()
    rows = {
        "train step": _train_step(state, width),
        "return": _return(state, width),
        "last returns": _curve(console, state, width),
        "replay": _replay(state, width),
        "samples": _samples(state),
        "policy lag": _policy_lag(state),
    }
    for name, cells in rows.items():
        if cells:
            grid.add_row(name, *(cells if has_bars else cells[1:]))
    return grid


# A bar or a curve, and what there is to say about it.
_Cells = Optional[tuple[RenderableType, str]]


def _bar(done: float, total: float, width: int) -> ProgressBar:
    return ProgressBar(
        total,
        done,
        width,
        style="dim",
        complete_style="green",
        finished_style="bold green",
    )


def _train_step(state: RunState, width: int) -> _Cells:
    progress = state.progress
    done = progress.figure(figures.LEARNER, "train_step") or 0
    last = progress.figure(figures.LEARNER, "max_train_steps")
    if last is None:
        return None
    parts = [f"{done:,} of {last:,}"]
    per_s = state.per_s(figures.LEARNER)
    if per_s is not None:
        parts.append(f"{per_s:,.0f}/s")
    if state.seconds_left is not None:
        has_target = progress.figure(figures.EVAL_JOB, "target_return") is not None
        parts.append(
            f"{'at most ' if has_target else ''}{duration(state.seconds_left)} left"
        )
    return _bar(done, last, width), ", ".join(parts)


def _return(state: RunState, width: int) -> _Cells:
    """The newest one on the way from the random policy to the target."""
    returns, random = state.progress.returns, state.progress.random_return
    if not returns:
        return None
    target = state.progress.figure(figures.EVAL_JOB, "target_return")
    parts = [f"{returns[-1]:.1f}", f"best {max(returns):.1f}"]
    bar: RenderableType = ""
    if target is not None:
        parts[0] += f" of {target:g}"
    if random is not None:
        parts.append(f"random {random:.1f}")
        if target is not None and target > random:
            bar = _bar(max(returns[-1] - random, 0.0), target - random, width)
    return bar, ", ".join(parts)


def _curve(console: Console, state: RunState, width: int) -> _Cells:
    shown = state.progress.returns[-width:]
    if len(shown) < _CURVE:
        return None
    curve = sparkline(shown, console.options.ascii_only)
    return Text(curve, style="green"), f"{min(shown):.1f} to {max(shown):.1f}"


def _replay(state: RunState, width: int) -> _Cells:
    progress = state.progress
    size = progress.figure(figures.SERVER, "replay_size")
    most = progress.figure(figures.SERVER, "replay_max_size")
    if size is None or most is None:
        return None
    env_steps = progress.figure(figures.SERVER, "env_steps") or 0
    text = f"{size:,} of {most:,}, env steps {env_steps:,}"
    return _bar(size, most, width), text


def _samples(state: RunState) -> _Cells:
    """How many were taken of each insert, and how many should be."""
    got = state.progress.figure(figures.SERVER, "samples_per_insert")
    wanted = state.progress.figure(figures.SERVER, "samples_per_insert_wanted")
    if got is None:
        return None
    parts = [f"{got:.3g} per insert"]
    if wanted is not None:
        parts.append(f"{wanted:g} wanted")
    return "", ", ".join(parts)


def _policy_lag(state: RunState) -> _Cells:
    lag = state.progress.figure(figures.LEARNER, "policy_lag")
    return None if lag is None else ("", f"{lag:,.0f} train steps on average")


def _abridged(processes: Sequence[ProcessState], room: int) -> list[list[ProcessState]]:
    """Groups of processes that are shown in a row each.

    Args:
      processes: All.
      room: Rows.

    Returns:
      All, if there is room. Else all but the actors, the actors in trouble, and the
      other actors in groups that do the same.
    """
    if len(processes) <= room:
        return [[process] for process in processes]
    rows = [[process] for process in processes if process.role != figures.ACTOR]
    worst_first = list(Life)
    actors = sorted(
        (process for process in processes if process.role == figures.ACTOR),
        key=lambda process: worst_first.index(process.life),
    )
    lives = len({actor.life for actor in actors})
    troubled = [actor for actor in actors if actor.life in worst_first[:3]]
    alone = [[actor] for actor in troubled[: max(room - len(rows) - lives, 0)]]
    groups = collections.defaultdict(list)
    for actor in actors[len(alone) :]:
        groups[actor.life].append(actor)
    return [*rows, *alone, *groups.values()]


def _table(groups: Sequence[Sequence[ProcessState]], width: int) -> Table:
    """A row for each group; no number is cut."""
    gap = 3 if width >= _WIDE else 1
    columns = _columns(groups)
    for name in _SPARE:
        if sum(_width(name, column) + gap for name, column in columns.items()) <= width:
            break
        del columns[name]
    table = Table(box=None, padding=(0, gap, 0, 0), header_style="dim")
    for name in columns:
        justify: JustifyMethod = "right" if name in _RIGHT else "left"
        table.add_column(name, justify=justify, no_wrap=True, overflow="crop")
    for cells in zip(*columns.values()):
        table.add_row(*cells)
    return table


def _width(name: str, column: Iterable[Text]) -> int:
    return max(len(name), *(cell.cell_len for cell in column))


def _columns(groups: Sequence[Sequence[ProcessState]]) -> dict[str, list[Text]]:
    """What the processes of each group do together, by the names of the columns."""
    columns: dict[str, list[Text]] = collections.defaultdict(list)
    for group in groups:
        for name, cell in _cells(group).items():
            columns[name].append(cell if isinstance(cell, Text) else Text(cell))
    return columns


def _cells(group: Sequence[ProcessState]) -> dict[str, str | Text]:
    """What processes that do the same do together."""
    first, is_alone = group[0], len(group) == 1
    state = first.life.value
    if is_alone and first.restart_in_s is not None:
        state += f" in {first.restart_in_s:.0f} s"
    speed = _known(process.per_s for process in group)
    waited = _known(process.waited for process in group)
    cpu = _known(process.cpu_percent for process in group)
    memory = _known(process.memory_mb for process in group)
    silent = _known(process.silent_s for process in group)
    return {
        "process": first.name if is_alone else f"{len(group)} actors",
        "state": Text(state, style=_STYLES[first.life]),
        "speed": f"{sum(speed):,.0f} {_UNITS[first.role]}" if speed else "",
        "waits": f"{sum(waited) / len(waited):.0%}" if waited else "",
        "CPU": f"{sum(cpu):.0f}%" if cpu else "",
        "memory": f"{sum(memory):,.0f} MiB" if memory else "",
        "restarts": f"{sum(process.restarts for process in group)}",
        "heard": f"{max(silent):.0f} s" if silent else "",
    }


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
