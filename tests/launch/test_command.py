"""launch/command.py: what comes after a run."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launch import command, screen
from launch.report import page
from tests.launch.a_run import CHECKOUT
from tests.launch.report import a_folder

# A launcher whose run is over at once, and whose report takes for ever.
_AFTER_A_RUN = """
import dataclasses, sys, threading
from pathlib import Path
from experiment import process
from launch import command
from launch.report import page
from launch.result import Outcome
from tests.launch.a_run import options

def write(*_):
    print("making the report", flush=True)
    threading.Event().wait(60)

page.write = write
command.flags.read = lambda _: options(Path(sys.argv[1]))
command._run_processes = lambda *_: Outcome("failed", 1, "the learner broke")
process.run(command.main)
"""


def test_who_does_not_wait_for_the_report_loses_nothing_else(tmp_path: Path) -> None:
    """What has become of the run is told before, what went wrong is the last line."""
    program = _AFTER_A_RUN.replace("sys.argv[1]", repr(str(a_folder.make(tmp_path))))
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert launcher.stdout
        said = []
        for line in launcher.stdout:
            said.append(line.strip())
            if line == "making the report\n":
                launcher.send_signal(signal.SIGINT)
                launcher.send_signal(signal.SIGTERM)  # Two equal ones may become one.
        assert launcher.wait(60) in (130, 143)
    summary, see, _, _, error = said
    assert summary.startswith("failed, average return")
    assert see.startswith("see ")
    assert "report.html" not in see
    assert error == "the learner broke"


def test_a_run_gets_its_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command._report(a_folder.make(tmp_path))
    path = tmp_path / "report.html"
    assert "broken off" in path.read_text()
    assert capsys.readouterr().out == f"report: {screen.short(path)}\n"


def test_a_run_that_never_was_gets_none(tmp_path: Path) -> None:
    command._report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_report_that_cannot_be_made_is_told_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And is all that is lost."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("so it is\nand more")

    monkeypatch.setattr(page, "write", fail)
    command._report(a_folder.make(tmp_path))
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("report.html could not be made (so it is); try again by ")
