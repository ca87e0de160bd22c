"""launch/command.py: what comes after a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from launch import command
from launch.report import page
from tests.launch.report import a_folder


def test_a_run_gets_its_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command._report(a_folder.make(tmp_path))
    assert "broken off" in (tmp_path / "report.html").read_text()
    assert capsys.readouterr().out == ""


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
