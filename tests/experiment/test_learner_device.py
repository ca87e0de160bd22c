"""experiment/learner_device.py: three flags that say one thing."""

from __future__ import annotations

import pytest

from experiment.errors import ConfigurationError
from experiment.learner_device import LearnerDevice

of_flags = LearnerDevice.of_flags


@pytest.mark.parametrize(
    ("wanted", "flags"),
    [
        (of_flags("auto", False), ["--learner_device=auto"]),
        (of_flags("cpu", False), ["--learner_device=cpu"]),
        (of_flags("gpu", False), ["--learner_device=gpu"]),
        (of_flags("auto", True), ["--learner_device=gpu"]),
        (of_flags("auto", False, gpus=1), ["--learner_device=gpu"]),
        (of_flags("gpu", True, gpus=3), ["--learner_device=gpu", "--learner_gpus=3"]),
    ],
)
def test_what_is_wanted_is_passed_on_in_the_fewest_words(
    wanted: LearnerDevice, flags: list[str]
) -> None:
    """To require a GPU, or to say how many, is to want one."""
    assert wanted.flags() == flags


@pytest.mark.parametrize(
    ("kind", "require_gpu", "gpus", "said"),
    [
        ("tpu", False, None, "--learner_device is 'tpu'; it must be one of"),
        ("auto", False, 0, "--learner_gpus is 0; it must be a whole number >= 1"),
        ("cpu", True, None, "hides all GPUs, but --require_gpu asks for one"),
        ("cpu", False, 2, "hides all GPUs, but --learner_gpus=2 asks for one"),
    ],
)
def test_what_cannot_be_is_refused(
    kind: str, require_gpu: bool, gpus: int | None, said: str
) -> None:
    """With both flags that do not fit."""
    with pytest.raises(ConfigurationError, match=said):
        of_flags(kind, require_gpu, gpus)
