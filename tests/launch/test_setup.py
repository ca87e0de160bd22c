"""launch/setup.sh: what it asks of a machine, and when it installs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.launch.small_checkout import Checkout, only_line, pebble, run

REQUIRED = "needs Linux x86-64 and a 64-bit Python 3.9, 3.10 or 3.11"


def program(path: Path, text: str) -> None:
    """Writes an executable bash script."""
    path.write_text(f"#!{shutil.which('bash')}\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A directory for PATH with what the script calls, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "flock", "ls", "readlink", "uname"):
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return folder


@pytest.mark.parametrize("platform", ["Darwin arm64", "Linux aarch64"])
def test_other_platforms_are_refused(bare: Path, tools: Path, platform: str) -> None:
    """The line says what is needed and what was found."""
    (tools / "uname").unlink()
    program(tools / "uname", f"echo {platform}")
    line = only_line(run(bare, PATH=str(tools)), 2)
    assert REQUIRED in line
    assert platform in line


def test_no_python_at_all(bare: Path, tools: Path, tmp_path: Path) -> None:
    """Nothing found is said as such."""
    line = only_line(run(bare, PATH=str(tools), HOME=str(tmp_path)), 2)
    assert REQUIRED in line
    assert "no python on PATH" in line


def test_each_unfit_python_is_named(bare: Path, tools: Path, tmp_path: Path) -> None:
    """A shim that fails when run and a Python too new do not count as found."""
    program(tools / "python3.10", "echo 'shim: not switched on' >&2; exit 127")
    claim = "import sys; sys.version_info = (3, 12, 1); sys.version = '3.12.1 (x)'"
    program(
        tools / "python3",
        f'exec "{sys.executable}" -c "{claim}; exec(sys.argv[-1])" "$@"',
    )
    line = only_line(run(bare, PATH=str(tools), HOME=str(tmp_path)), 2)
    assert "found python3.10 (shim: not switched on), python3 (3.12.1)" in line


@pytest.mark.parametrize("python", ["true", "/no/such/python"])
def test_the_python_asked_for_must_be_fit(bare: Path, python: str) -> None:
    """Another one is not taken in its place."""
    line = only_line(run(bare, ANTIPHON_PYTHON=python), 2)
    assert REQUIRED in line
    assert f"ANTIPHON_PYTHON={python}" in line


def test_a_venv_of_somebody_else_is_left_alone(bare: Path) -> None:
    """It may be dear to them."""
    theirs = bare.parents[1] / ".venv" / "pyvenv.cfg"
    theirs.parent.mkdir()
    theirs.touch()
    line = only_line(run(bare, ANTIPHON_PYTHON=sys.executable), 2)
    assert "was not made by this script" in line
    assert theirs.exists()


def test_the_packages_are_found_from_anywhere(ready: Checkout) -> None:
    """The checkout is on the path of its environment."""
    assert ready.installs("launch")


def test_the_second_start_is_silent_and_quick(ready: Checkout) -> None:
    """Under 100 ms; the best of some tries, as the machine has other work too."""
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        ended = ready.set_up()
        seconds.append(time.perf_counter() - start)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert min(seconds) < 0.1


def test_a_changed_lock_is_installed(ready: Checkout) -> None:
    """On top of what is there."""
    kept = ready.root / ".venv" / "kept"
    kept.touch()
    base = next(ready.wheels.glob("setuptools-*"))
    ready.lock("requirements.lock", base, pebble(ready.wheels, "addition"))
    ended = ready.set_up()
    assert ended.returncode == 0, ended.stderr
    assert "bringing .venv up to date" in ended.stderr
    assert ready.installs("addition")
    assert kept.exists()


def test_the_test_tools_include_what_a_run_needs(ready: Checkout) -> None:
    """A run after the tests installs nothing, and takes nothing away."""
    assert ready.set_up("test").returncode == 0
    assert ready.installs("testtool")
    assert ready.set_up().stderr == ""
    assert ready.set_up("test").stderr == ""


def test_a_failed_installation_is_made_anew(ready: Checkout) -> None:
    """Whatever the first left behind."""
    lock = ready.root / "requirements.lock"
    sound = lock.read_text()
    leftover = ready.root / ".venv" / "leftover"
    leftover.touch()
    lock.write_text(sound + "missing==1.0 --hash=sha256:" + "0" * 64 + "\n")
    ended = ready.set_up()
    assert ended.returncode == 1
    assert "missing==1.0" in ended.stderr  # pip's own words
    assert "put that right and start again" in ended.stderr.splitlines()[-1]

    lock.write_text(sound)
    ended = ready.set_up()
    assert ended.returncode == 0, ended.stderr
    assert "making .venv" in ended.stderr
    assert not leftover.exists()


def test_two_starts_in_a_moved_checkout(ready: Checkout, tmp_path: Path) -> None:
    """The environment names the old place, so one makes it anew; the other waits."""
    moved = ready._replace(root=tmp_path / "moved")
    shutil.copytree(ready.root, moved.root, symlinks=True)
    starts = [
        subprocess.Popen(
            [moved.root / "launch" / "setup.sh"],
            env={**os.environ, **moved.environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    waited, made = sorted(start.communicate(timeout=100)[1] for start in starts)
    assert [start.returncode for start in starts] == [0, 0], made
    assert waited.startswith("antiphon: another start is setting up .venv")
    assert waited.count("\n") == 1, waited
    assert made.startswith("antiphon: making .venv")
    assert str(ready.root) not in (moved.root / ".venv/bin/pip").read_text()
