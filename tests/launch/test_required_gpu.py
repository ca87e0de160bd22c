"""launch/required_gpu.py: what the process that looks for GPUs may come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiment.errors import ConfigurationError
from experiment.learner_device import GPU, LearnerDevice
from launch import required_gpu

_WANTED = LearnerDevice(GPU, 1)


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program that is asked in the place of TensorFlow; empty."""
    path = tmp_path / "probe.py"
    path.touch()
    monkeypatch.setattr(required_gpu, "RUN_MODULE", str(path))
    return path


def test_one_that_ends_well_has_found_them(probe: Path) -> None:
    required_gpu.check(_WANTED)
    assert probe.exists()


@pytest.mark.parametrize(
    ("program", "error"),
    [
        (
            "import os; os.abort()",
            r"exit code -6 .*\(it said nothing\): its driver may",
        ),
        ("raise ImportError('no libcuda')", r"exit code 1 .*\(ImportError: no libcuda"),
        ("raise SystemExit(2)", r"exit code 2 .*it said nothing"),
        (
            "import sys; print('fatal: 1 GPU only', file=sys.stderr); sys.exit(2)",
            r"^1 GPU only$",
        ),
    ],
)
def test_one_that_fails_has_found_none(program: str, error: str, probe: Path) -> None:
    """However it fails: a run that requires a GPU does not start."""
    probe.write_text(program)
    with pytest.raises(ConfigurationError, match=error):
        required_gpu.check(_WANTED)
