"""launch/doctor/gpu.py: cards that are there, and whether TensorFlow has them.

Without a GPU: what its driver would say is said by a script.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from experiment import devices
from experiment.devices import Devices
from launch.doctor import gpu
from launch.doctor import options as options_lib
from launch.doctor.finding import Finding


def check(*flags: str) -> Finding:
    """As the doctor does with these flags."""
    return gpu.check(options_lib.read(flags))


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
    assert check().level == "ok"
    (driver.parent / "gpus" / "0000:00:00.0").mkdir(parents=True)
    assert "1 NVIDIA GPUs, but TensorFlow sees none" in check().text


@pytest.mark.usefixtures("driver")
def test_a_card_that_tensorflow_does_not_see_comes_with_what_it_needs() -> None:
    """The versions are those it was built with."""
    found = check()
    assert found.level == "warn"
    assert "Some Card, 535.1, but TensorFlow sees none" in found.text
    assert "CUDA 12" in found.text
    assert "pip install -e '.[gpu]'" in found.remedy
    required = check("--require_gpu")
    assert required == found._replace(level="fail")


@pytest.mark.usefixtures("driver")
def test_a_card_that_is_hidden_on_purpose_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the variable that hides it."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert "hidden by CUDA_VISIBLE_DEVICES='-1'" in check().text


def test_a_driver_that_does_not_work_is_named(driver: Path) -> None:
    """As after an update without a restart of the machine."""
    driver.write_text("#!/bin/sh\nexit 9\n")
    found = check()
    assert found.level == "warn"
    assert "nvidia-smi that does not work" in found.text


@pytest.mark.usefixtures("driver")
def test_a_card_that_does_not_compute_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TensorFlow silently lets the processor do it."""
    card = Devices(["GPU:0"], "1 GPU (Some Card)")
    monkeypatch.setattr(devices, "for_learner", lambda wanted: card)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a card"])
    found = check()
    assert found.level == "fail"
    assert "CPU:0 computes" in found.text
    few = check("--learner_gpus=2")
    assert (few.level, few.text) == (
        "fail",
        "Some Card, 535.1; TensorFlow sees 1 of the 2 of --learner_gpus",
    )


def test_the_flags_of_the_learner_decide_whether_a_card_is_missed(
    driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is missed by default, or if all are hidden; some must be there."""
    driver.unlink()
    monkeypatch.setenv("PATH", str(driver.parent))
    assert check("--learner_device=auto").level == "ok"
    for flag in ("--learner_device=gpu", "--require_gpu", "--learner_gpus=1"):
        found = check(flag)
        assert (found.level, found.text[:9]) == ("fail", "none, but"), flag
        assert "a host that has it" in found.remedy
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda devices, kind: None)
    hidden = check("--learner_device=cpu")
    assert (hidden.level, hidden.text) == (
        "ok",
        "not used: the processor (--learner_device=cpu)",
    )
