"""launch/live_view.py: real programs in a real pseudo-terminal."""

from __future__ import annotations

import signal

import pytest

from launch.plain_view import PlainView, QuietView
from launch.view import choose
from tests.launch.a_run import CHECKOUT
from tests.launch.terminal import HIDE_CURSOR, Open, Terminal
from tests.reverb_server.waiting import wait_until

# A program that shows a run that does not change, until its body ends.
_PROGRAM = """
import sys, time
from pathlib import Path
from experiment import process
from launch import view as view_lib
from launch.progress import Progress
from launch.state import Life, ProcessState, RunState

progress = Progress(Path("metrics.jsonl"))
states = [ProcessState("actor", n, f"actor-{n}", Life.RUNNING) for n in range(4)]

def main():
    stop = process.StopSignal()
    view = view_lib.choose(False)
    def show(seconds):
        view.show(RunState(seconds, progress, states, None))
    try:
"""


def run(terminal: Open, body: str, **env: str) -> Terminal:
    """Starts such a program; its body has `view`, `show` and `stop`."""
    lines = [f"        {line}" for line in body.strip().splitlines()]
    end = ["    finally:", "        view.close()", "    return stop.exit_code"]
    program = "\n".join([_PROGRAM, *lines, *end, "process.run(main)"])
    return terminal("-c", program, PYTHONPATH=str(CHECKOUT), **env)


def last_picture(shown: Terminal) -> str:
    """All that was written since the last time the picture was taken away."""
    return shown.text[shown.text.rindex("starting: the processes") :]


def test_the_last_picture_stays_and_what_was_said_is_above_it(terminal: Open) -> None:
    """Nothing is lost, and the prompt is on a line of its own."""
    shown = run(
        terminal,
        """
view.say("before")
show(1)
view.say("in between [bold]")
view.warn("something is wrong")
show(2)
view.close()
view.say("after")
""",
    )
    assert shown.wait(60) == 0
    wait_until(lambda: "after" in shown.text)
    shown.assert_left_as_it_was()
    text = shown.text
    places = [
        text.index(said)
        for said in ("before", "in between [bold]", "something is wrong", "0:00:02")
    ]
    assert places == sorted(places)
    assert last_picture(shown).count("actor-") == 4
    assert text.rstrip().endswith("after")


def test_it_is_redrawn_in_place(terminal: Open) -> None:
    """As many lines up as it has."""
    shown = run(terminal, "show(1)\nshow(2)")
    assert shown.wait(60) == 0
    shown.assert_left_as_it_was()
    first, again, *_ = shown.written.split("starting: the processes")[1:]
    assert again.count("\n") == first.count("\n")
    assert first.count("\x1b[1A") == first.count("\n") > 4


def test_a_picture_whose_lines_were_broken_is_taken_away_too(terminal: Open) -> None:
    """The window has become narrower: each of its lines takes more rows."""
    shown = run(
        terminal,
        """
show(1)
Path("shown").touch()
while not Path("narrow").exists():
    time.sleep(0.01)
show(2)
""",
    )
    folder = shown.folder
    wait_until((folder / "shown").exists)
    shown.resize(30, 24)
    (folder / "narrow").touch()
    assert shown.wait(60) == 0
    first = shown.written.split("starting: the processes")[1]
    assert first.count("\x1b[1A") > first.count("\n")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("show(1)\nraise KeyError", 1),
        ("show(1)\nprocess.fail('from a thread')", 1),
        ("show(1)\nstop.wait(60)", 143),
        ("show(1)\nstop.wait(60)\nview.say('told')\ntime.sleep(60)", 143),
    ],
    ids=["exception", "end in a thread", "asked to stop", "does not stop"],
)
def test_the_cursor_comes_back(body: str, code: int, terminal: Open) -> None:
    """However the program ends."""
    shown = run(terminal, body)
    wait_until(lambda: HIDE_CURSOR in shown.written)
    if code == 143:
        wait_until(lambda: "actor-3" in shown.text)
        shown.send(signal.SIGTERM)
        if "told" in body:
            wait_until(lambda: "told" in shown.text)
            shown.send(signal.SIGTERM)
    assert shown.wait(60) == code
    shown.assert_left_as_it_was()


def test_a_terminal_that_is_gone_is_no_fault(terminal: Open) -> None:
    """The run goes on, and its results are in files."""
    shown = run(
        terminal,
        """
import os
show(1)
os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
for second in range(9):
    show(second)
    view.say("still here")
Path("survived").touch()
""",
    )
    assert shown.wait(60) == 0
    assert (shown.folder / "survived").exists()


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_colours_can_be_declined(encoding: str, terminal: Open) -> None:
    """https://no-color.org; and no terminal gets what it cannot show."""
    shown = run(terminal, "show(1)", NO_COLOR="1", PYTHONIOENCODING=encoding)
    assert shown.wait(60) == 0
    assert "\x1b[32m" not in shown.written
    assert "actor-3" in shown.text


def test_a_dumb_terminal_gets_plain_lines(terminal: Open) -> None:
    """As a file does."""
    shown = run(terminal, "show(1)", TERM="dumb")
    assert shown.wait(60) == 0
    assert shown.written == "0:00:01  starting\r\n"


def test_without_a_terminal_the_view_is_plain_or_quiet() -> None:
    """The output of a test is none."""
    assert type(choose(quiet=False)) is PlainView
    assert type(choose(quiet=True)) is QuietView
