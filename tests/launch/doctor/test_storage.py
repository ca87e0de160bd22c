"""launch/doctor/storage.py: folders, disks and limits that are too small."""

from __future__ import annotations

import fcntl
import resource
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from launch.doctor import options, storage


def test_a_folder_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check makes none, and leaves nothing."""
    wanted = options.read([f"--root_dir={tmp_path / 'a' / 'b'}"])
    assert storage.folder(wanted).level == "ok"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    below_a_file = options.read([f"--root_dir={tmp_path / 'file' / 'b'}"])
    assert storage.folder(below_a_file).level == "fail"

    def no_locks(*args: Any) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    found = storage.folder(wanted)
    assert found.level == "fail"
    assert "No locks available" in found.text


@pytest.mark.parametrize(("free", "level"), [(2e9, "ok"), (5e8, "warn"), (1e6, "fail")])
def test_a_small_disk_is_told_before_it_is_full(
    free: float, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what a run stores at most, here 1 GB."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    found = storage.disk(options.read([f"--root_dir={tmp_path / 'run'}"]), 1e9)
    assert found.level == level
    assert str(tmp_path) in found.text
    assert (level == "ok") == (not found.remedy)


def test_limits_that_many_actors_would_reach_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Open files and threads."""
    limits = {resource.RLIMIT_NOFILE: 1_024, resource.RLIMIT_NPROC: 4_096}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits[kind], -1))
    assert storage.limits(options.read(["--num_actors=4"])).level == "ok"
    found = storage.limits(options.read(["--num_actors=100"]))
    assert found.level == "warn"
    assert "1024 open files (ulimit -n), but 103 processes may need 1776" in found.text
    assert "4096 threads" in found.text
    limits.update(dict.fromkeys(limits, resource.RLIM_INFINITY))
    assert storage.limits(options.read(["--num_actors=100"])).level == "ok"
