"""launch/doctor/preset.py: what is to be learned, and whether it fits this machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from experiment import available_memory
from launch.doctor import options
from launch.doctor.finding import Check
from launch.doctor.preset import Preset, checks


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A machine with 16 GB, all of it free, in no container."""
    memory = SimpleNamespace(total=16 * 10**9, available=16 * 10**9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(total=0))
    monkeypatch.setattr(available_memory, "_GROUP_FILES", {})
    return memory


def built(*arguments: str) -> Preset:
    """A preset with its agent."""
    preset = Preset(options.read(arguments))
    assert preset.build().level == "ok"
    return preset


def test_memory_is_compared_with_what_processes_and_a_full_table_need(
    free: SimpleNamespace,
) -> None:
    """2 actors and 3 others at 0.5 GB; 100,000 transitions of 287 bytes."""
    preset = built()
    free.available = int(2.5e9 + 287e5)
    assert preset.memory().level == "ok"
    free.available -= 1
    found = preset.memory()
    assert found.level == "warn"
    assert "--num_actors" in found.remedy
    too_many = Check("memory", built("--num_actors=1000").memory).attempt()
    assert too_many.level == "fail"


def test_the_disk_has_to_hold_all_snapshots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two replay tables and the one being written, checkpoints, and the rest."""
    preset = built(f"--root_dir={tmp_path}")
    for free, level in ((190e6, "ok"), (185e6, "warn")):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
        assert preset.disk().level == level


def test_a_preset_that_cannot_be_built_is_refused_as_by_the_launcher(
    tmp_path: Path,
) -> None:
    """With gin's words; what builds on it is not checked."""
    path = tmp_path / "mine.gin"
    path.write_text("Replay.batch_size = 0")
    found = next(checks(options.read([f"--gin_file={path}"]))).attempt()
    assert found.level == "fail"
    assert "Replay.batch_size is 0" in found.text
