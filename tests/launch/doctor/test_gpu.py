"""launch/doctor/gpu.py: cards that are there, and whether TensorFlow has them.

Without a GPU: what its driver would say is said by a script.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from experiment import devices
from launch.doctor import gpu


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An nvidia-smi to be written; there is no other, and TensorFlow sees no card."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(gpu, "_GPUS", tmp_path / "gpus")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Some Card, 535.1'\n")
    program.chmod(0o755)
    return program


def test_without_a_card_all_is_well(
    driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The learner needs none."""
    driver.unlink()
    monkeypatch.setenv("PATH", str(driver.parent))
    assert gpu.check().level == "ok"
    (driver.parent / "gpus" / "0000:00:00.0").mkdir(parents=True)
    assert "1 NVIDIA GPUs, but TensorFlow sees none" in gpu.check().text


@pytest.mark.usefixtures("driver")
def test_a_card_that_tensorflow_does_not_see_comes_with_what_it_needs() -> None:
    """The versions are those it was built with."""
    found = gpu.check()
    assert found.level == "warn"
    assert "Some Card, 535.1, but TensorFlow sees none" in found.text
    assert "CUDA 12" in found.text
    assert f"tensorflow[and-cuda]=={tf.__version__}" in found.remedy


@pytest.mark.usefixtures("driver")
def test_a_card_that_is_hidden_on_purpose_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the variable that hides it."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert "hidden by CUDA_VISIBLE_DEVICES='-1'" in gpu.check().text


def test_a_driver_that_does_not_work_is_named(driver: Path) -> None:
    """As after an update without a restart of the machine."""
    driver.write_text("#!/bin/sh\nexit 9\n")
    found = gpu.check()
    assert found.level == "warn"
    assert "nvidia-smi that does not work" in found.text


@pytest.mark.usefixtures("driver")
def test_a_card_that_does_not_compute_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TensorFlow silently lets the processor do it."""
    monkeypatch.setattr(devices, "share_gpus", lambda: None)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a card"])
    found = gpu.check()
    assert found.level == "fail"
    assert "CPU:0 computes" in found.text
