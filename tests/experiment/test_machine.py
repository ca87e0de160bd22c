"""experiment/machine.py: what a run was made on, as far as it is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from experiment import machine


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with this code in a checkout of something else."""
    folder = tmp_path / "ours"
    folder.mkdir()
    monkeypatch.setattr(machine, "_CHECKOUT", folder)
    commit(tmp_path)
    return folder


def commit(folder: Path) -> str:
    """Makes a checkout with one commit; returns its name."""
    author = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]
    (folder / "code.py").touch()
    for command in (["init"], ["add", "code.py"], [*author, "commit", "-m", "all"]):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    return subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_the_commit_is_that_of_this_checkout(checkout: Path) -> None:
    """Marked if a file was changed since."""
    name = commit(checkout)[:12]
    assert machine.describe()["commit"] == name
    (checkout / "code.py").write_text("changed")
    assert machine.describe()["commit"] == f"{name}-dirty"


def test_the_checkout_around_a_copy_is_not_taken_for_it(checkout: Path) -> None:
    """Nor is the version, which no checkout can be made of."""
    described = machine.describe()
    assert "commit" not in described
    assert described["antiphon"]


def test_what_is_not_there_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine, "PACKAGES", ("no-such-package",))
    described = machine.describe()
    assert not {"commit", "no-such-package"} & described.keys()
    assert described["processor"]
    assert int(described["cores"]) >= 1


def test_it_is_known_without_any_package() -> None:
    """The doctor asks before they are known to be there."""
    code = (
        "import sys; sys.path.insert(0, '.'); from experiment import machine; "
        "print(machine.processor())"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        cwd=Path(machine.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.strip() == machine.processor()
