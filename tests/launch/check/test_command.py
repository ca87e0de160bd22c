"""launch/check/command.py, show.py: what is printed, and the exit code."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from launch.check import show
from launch.check.show import Title, printer
from launch.doctor.finding import FAIL, OK, Finding
from tests.bad_input.conftest import Refuse, preloaded, refuse
from tests.system.commands import Start, role, start

__all__ = ["preloaded", "refuse", "role", "start"]

LONG = Finding(OK, "step", " ".join(["columns"] * 20))


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--gin_file=nope.gin", "--gin_file is 'nope.gin', which is neither a file"),
        ("--gin_bindings=Replay.transitions_per_item = 7", "it must divide Replay.bat"),
        ("--gin_bindings=Experiment.agent = @nope", "No configurable matching refer"),
        ("--episodes=0", "--episodes is 0; it must be a whole number >= 1."),
        ("--env_steps=0", "--env_steps is 0; it must be a whole number >= 1."),
        ("--timeout_s=0", "--timeout_s is 0.0; it must be a number > 0."),
        ("--num_actors=0", "--num_actors is 0"),
        ("--resume", "Unknown command line flag 'resume'"),
    ],
)
def test_a_wrong_flag_or_binding_is_refused_in_one_line(
    flag: str, said: str, refuse: Refuse, tmp_path: Path
) -> None:
    """As by the launcher, with nothing left behind."""
    assert said in refuse("launch.check", flag)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_work_ends_with_2_and_the_last_line_says_so(role: Start) -> None:
    """DQN with actions of real numbers."""
    command = role(
        "launch.check", "--gin_bindings=gym_environment.name = 'Pendulum-v1'"
    )
    assert command.wait() == 2
    lines = command.output.splitlines()
    [failed] = [line for line in lines if line.startswith("fail ")]
    assert "dqn_agent needs one discrete action counted from 0" in failed
    assert lines[-1].startswith("not ready, mend what failed: ")
    assert lines[-1].endswith(" 1 fail")
    assert "Traceback" not in command.output
    log = Path(lines[-2].split(": ")[-1])
    assert log.is_file()
    shutil.rmtree(log.parent)


def test_outside_of_a_terminal_each_finding_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """However long."""
    say = printer()
    say(Title("agent"))
    say(LONG)
    say(Finding(FAIL, "table", "it is too large", "make it smaller"))
    _, title, first, second = capsys.readouterr().out.splitlines()
    assert title == "agent"
    assert first == f"ok    step                     {LONG.text}"
    assert second == "fail  table                    it is too large; make it smaller"


def test_in_a_terminal_long_texts_stay_in_their_column() -> None:
    """And levels have colours."""
    written = io.StringIO()
    console = Console(file=written, width=60, force_terminal=True)
    console.print(show._rich(LONG))
    lines = written.getvalue().splitlines()
    assert "\x1b[32mok" in lines[0]
    assert len(lines) > 2
    assert {line.index("columns") for line in lines[1:]} == {31}
