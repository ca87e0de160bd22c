"""experiment/available_memory.py: what a machine, a container or a job has left."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from experiment import available_memory
from launch import memory

GB = 10**9


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Control groups of a machine that itself has 16 GB left."""
    free = SimpleNamespace(available=16 * GB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr(available_memory, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(available_memory, "_GROUPS", tmp_path / "groups")
    return tmp_path / "groups"


def version_2(folder: Path, limit: object, usage: int, cache: int = 0) -> None:
    """A group as the kernel shows it today."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cache}\n")


def test_without_control_groups_it_is_what_the_machine_has(groups: Path) -> None:
    """Or without those that limit memory."""
    assert available_memory.available_bytes() == 16 * GB
    (groups.parent / "own").write_text("5:cpu,cpuacct:/a\n0::/a:b\n")
    assert available_memory.available_bytes() == 16 * GB


def test_a_container_has_what_its_limit_leaves_and_what_is_cache(groups: Path) -> None:
    """The kernel gives the cache back: a file that was read takes no room."""
    (groups.parent / "own").write_text("0::/\n")
    version_2(groups, "max", 7 * GB)
    assert available_memory.available_bytes() == 16 * GB
    version_2(groups, 8 * GB, 7 * GB)
    assert available_memory.available_bytes() == GB
    version_2(groups, 8 * GB, 7 * GB, cache=5 * GB)
    assert available_memory.available_bytes() == 6 * GB


def test_the_narrowest_of_nested_limits_counts(groups: Path) -> None:
    """A job's own, say, or that of all the user's; others' do not."""
    (groups.parent / "own").write_text("0::/jobs/ours/task\n")
    version_2(groups / "jobs" / "ours" / "task", "max", GB)
    version_2(groups / "jobs" / "ours", 9 * GB, 2 * GB)
    version_2(groups / "jobs" / "others", GB, GB)
    assert available_memory.available_bytes() == 7 * GB
    version_2(groups / "jobs", 5 * GB, 2 * GB)
    assert available_memory.available_bytes() == 3 * GB


def test_the_older_version_is_understood(groups: Path) -> None:
    """Whose path is often that outside of the container; 2**63 is no limit."""
    (groups.parent / "own").write_text("7:memory:/docker/abc\n0::/docker/abc\n")
    folder = groups / "memory"
    folder.mkdir(parents=True)
    (folder / "memory.usage_in_bytes").write_text(f"{3 * GB}\n")
    (folder / "memory.stat").write_text(f"inactive_file 1\ntotal_inactive_file {GB}\n")
    for limit, left in ((2**63 - 4096, 16 * GB), (4 * GB, 2 * GB)):
        (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
        assert available_memory.available_bytes() == left


def test_the_launcher_goes_by_it(groups: Path) -> None:
    """As the doctor does: 5 processes of half a GB each."""
    (groups.parent / "own").write_text("0::/\n")
    version_2(groups, 3 * GB, 4 * GB, cache=4 * GB)
    assert memory.warning(2) is None
    version_2(groups, 3 * GB, GB)
    assert "2.0 GB are available" in str(memory.warning(2))
