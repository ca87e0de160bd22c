"""launch/doctor/installation.py: what is installed, and what breaks it."""

from __future__ import annotations

import shutil
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from launch.doctor import installation

NUMPY = metadata.version("numpy")


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock file of a checkout that was never set up."""
    monkeypatch.setattr(installation, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(installation, "_VENV", tmp_path / ".venv")
    return tmp_path / "requirements.lock"


def test_versions_that_were_not_tested_together_are_listed(lock: Path) -> None:
    """A package for another Python may be missing; only a few are named."""
    assert installation.packages().level == "ok"
    lock.write_text(
        "absl-py==0.1 ; python_full_version < '3.10' \\\n    --hash=sha256:1\n"
        "absl-py==0.2 ; python_full_version >= '3.10' \\\n"
        f"numpy=={NUMPY} \\\n    # via antiphon (setup.py)\n"
        "not-for-this==1.0 ; python_full_version < '3.10' \\\n"
        "not-there==1.0 \\\n"
    )
    found = installation.packages()
    assert found.level == "warn"
    absl = metadata.version("absl-py")
    assert found.text == (
        f"not as in requirements.lock: absl-py {absl} (0.1 or 0.2), "
        "not-there is missing (1.0)"
    )
    lock.write_text("".join(f"not-there-{number}==1\n" for number in range(9)))
    assert installation.packages().text.endswith(" and 5 more")


def test_a_set_up_that_was_broken_off_or_moved_is_found(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the stamp of launch/setup.sh."""
    venv = lock.parent / ".venv"
    venv.mkdir()
    monkeypatch.setattr(sys, "prefix", str(venv))
    stamp = venv / "antiphon.stamp"
    for text, level in (
        ("unfinished\n", "fail"),
        ("runtime\nsum\npython\n/elsewhere\n", "warn"),
        (f"runtime\nsum\npython\n{lock.parent}\n", "ok"),
    ):
        stamp.write_text(text)
        found = installation.environment()
        assert found.level == level
        assert (level == "ok") == ("launch/setup.sh" not in str(found))
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert installation.environment().level == "warn"


def test_a_set_up_to_come_needs_room(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is there needs none."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1e9))
    assert installation.set_up_space().level == "fail"
    (lock.parent / ".venv").mkdir()
    assert installation.set_up_space().level == "ok"


def test_variables_that_break_packages_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TensorFlow 2.15 looks for another Keras by the first."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
    assert installation.variables().level == "ok"
    monkeypatch.setenv("PYTHONPATH", "/mine")
    assert "PYTHONPATH is /mine" in installation.variables().text
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    assert installation.variables().level == "fail"


@pytest.mark.parametrize("program", ["/bin/false", "/no/such/program"])
def test_an_ffmpeg_that_does_not_run_costs_the_videos_only(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is a warning."""
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE", raising=False)
    assert installation.ffmpeg().level == "ok"
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", program)
    assert installation.ffmpeg().level == "warn"
