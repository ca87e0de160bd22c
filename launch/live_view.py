"""A run live in a terminal: a picture of its state below the lines that were said."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment, SegmentLines
from rich.text import Text

from experiment import process
from launch.live_picture import picture
from launch.plain_view import print_line
from launch.state import RunState


class LiveView:
    """Redraws the state of a run in place; what is said scrolls away above it."""

    # The figures come every 1 to 2 s. Drawing takes some ms.
    interval_s = 1.0

    def __init__(self) -> None:
        """Draws nothing yet."""
        self._console = Console(file=sys.stdout, highlight=False)
        # No thread that refreshes: a launcher that starts processes has none.
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._lengths: list[int] = []
        process.at_end(self._show_cursor)

    def say(self, line: str) -> None:
        """Prints it above the picture."""
        if self._live.is_started:
            with self._drawing():
                self._console.print(Text(line))
        else:
            print_line(line)

    def warn(self, line: str) -> None:
        """Prints it above the picture, to be seen."""
        if self._live.is_started:
            with self._drawing():
                self._console.print(Text(line, style="bold"))
        else:
            print_line(line)

    def show(self, state: RunState) -> None:
        """Draws the picture anew."""
        with self._drawing():
            lines = picture(self._console, state)
            self._live.start()
            self._live.update(SegmentLines(lines, new_lines=True), refresh=True)
            self._lengths = [Segment.get_line_length(line) for line in lines]

    def show_last(self, state: RunState) -> None:
        """Draws it once more."""
        self.show(state)

    def close(self) -> None:
        """Leaves the picture where it is, and the cursor below it."""
        with self._drawing():
            self._live.stop()

    @contextlib.contextmanager
    def _drawing(self) -> Iterator[None]:
        """Around all that draws over the picture: a terminal that is gone ends no run.

        One that has become narrower has broken the lines of the picture, so it now
        takes more rows than Rich is going to go back.
        """
        width = self._console.width
        rows = sum((length - 1) // width for length in self._lengths if length)
        row = ((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
        try:
            if rows:
                self._console.control(Control(*row * rows))
            yield
        except OSError:
            self._console.quiet = True

    def _show_cursor(self) -> None:
        """The process ends now, in whatever thread."""
        if self._live.is_started:
            self._console.file.write("\n")
            self._console.show_cursor()
