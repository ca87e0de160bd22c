"""`python -m launch.report`: as a command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.a_run import CHECKOUT
from tests.launch.report import a_folder

RUN_MODULE = str(CHECKOUT / "launch" / "run_module.py")


def report(cwd: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """The command, in a folder of the user."""
    return subprocess.run(
        [sys.executable, RUN_MODULE, "launch.report", *flags],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_latest_run_is_the_default(tmp_path: Path) -> None:
    a_folder.make(tmp_path / "runs" / "one")
    (tmp_path / "runs" / "latest").symlink_to("one")
    ended = report(tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "see runs/latest/report.html\n"
    made = tmp_path / "runs" / "one" / "report.html"
    assert f"in {made.parent}</p>" in made.read_text()


def test_several_runs_make_a_file_here(tmp_path: Path) -> None:
    folders = [a_folder.make(tmp_path / "runs" / name, run_id=name) for name in "ab"]
    flags = [f"--root_dir={folder}" for folder in folders]
    assert report(tmp_path, *flags).returncode == 0
    assert "2 runs side by side" in (tmp_path / "report.html").read_text()
    assert not (folders[0] / "report.html").exists()
    assert report(tmp_path, *flags, "--output=seeds.html").returncode == 0
    assert (tmp_path / "seeds.html").exists()


def test_the_current_folder_has_a_name(tmp_path: Path) -> None:
    here = a_folder.make(tmp_path / "here")
    other = a_folder.make(tmp_path / "other", run_id="other")
    assert report(here, "--root_dir=.", f"--root_dir={other}").returncode == 0
    text = (here / "report.html").read_text()
    assert "</span> here</td>" in text
    assert "</span> other</td>" in text


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--root_dir=nowhere"], "nowhere holds no run (run.json is missing)"),
        (["--root_dir=broken"], "run.json is not the manifest of a run"),
        (["--root_dir=run", "--output=run"], "--output=run cannot be written"),
        (["--root_dir=run", "--output=no/where/x"], "--output=no/where/x cannot be"),
        (["--root_dir=run", "--root_dir=link"], "holds the same run as"),
        (["--root_dir=run", "--root_dir=copy"], "name each run once"),
        (["--actors=1"], "Unknown command line flag 'actors'"),
        (["run"], "unknown argument 'run'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    tmp_path: Path, flags: list[str], told: str
) -> None:
    a_folder.make(tmp_path / "run")
    a_folder.make(tmp_path / "copy")
    (tmp_path / "link").symlink_to("run")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text('{"run_id"')
    (tmp_path / "no").touch()
    ended = report(tmp_path, *flags)
    assert ended.returncode == 2
    assert ended.stderr.startswith("fatal: ")
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1
