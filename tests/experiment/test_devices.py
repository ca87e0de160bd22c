"""experiment/devices.py: in processes of their own, as it must come first there.

No GPU is here. What stands in for two of them are processors: TensorFlow takes one
device for another in all but the memory, which only a GPU has to grow.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from experiment import devices
from experiment.errors import ConfigurationError
from experiment.learner_device import LearnerDevice

ROOT = Path(__file__).parents[2]

OTHER_ROLES = """
from experiment import devices
devices.use_one_cpu_thread()
import tensorflow as tf
tf.constant(1) + 1  # From here on the settings stand.
print(
    tf.config.threading.get_intra_op_parallelism_threads(),
    tf.config.threading.get_inter_op_parallelism_threads(),
    len(tf.config.get_visible_devices("GPU")),
)
"""


def test_all_roles_but_the_learner_use_one_thread_and_no_gpu() -> None:
    """They share a machine."""
    ended = subprocess.run(
        [sys.executable, "-c", OTHER_ROLES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.stdout.split() == ["1", "1", "0"], ended.stderr


def test_one_device_trains_as_tensorflow_does_by_itself() -> None:
    """For several, see tests/learner/test_replicas.py."""
    strategy = devices.Devices(["CPU:0"], "the processor").strategy()
    assert strategy is tf.distribute.get_strategy()


class Config:
    """What TensorFlow is told, and what it says, of two cards that are not there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.visible: list[str] = []
        self.growing: list[str] = []
        config = tf.config
        monkeypatch.setattr(config, "list_physical_devices", lambda kind: ["a", "b"])
        monkeypatch.setattr(config, "set_visible_devices", self._see)
        monkeypatch.setattr(
            config.experimental,
            "set_memory_growth",
            lambda gpu, grows: self.growing.append(gpu),
        )
        monkeypatch.setattr(
            config.experimental,
            "get_device_details",
            lambda gpu: {"device_name": f"Card {gpu}"},
        )

    def _see(self, visible: list[str], kind: str) -> None:
        assert kind == "GPU"
        self.visible = visible


@pytest.mark.parametrize(
    ("wanted", "used", "names", "text"),
    [
        (LearnerDevice(), ["a"], ["GPU:0"], "1 GPU (Card a)"),
        (LearnerDevice("gpu"), ["a"], ["GPU:0"], "1 GPU (Card a)"),
        (
            LearnerDevice("gpu", 2),
            ["a", "b"],
            ["GPU:0", "GPU:1"],
            "2 GPUs (Card a, Card b)",
        ),
        (LearnerDevice("cpu"), [], ["CPU:0"], "the processor (--learner_device=cpu)"),
    ],
)
def test_a_learner_sees_what_it_trains_on_and_no_more(
    wanted: LearnerDevice,
    used: list[str],
    names: list[str],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It leaves the rest, and what memory it does not need, to others."""
    config = Config(monkeypatch)
    found = devices.for_learner(wanted)
    assert (config.visible, config.growing) == (used, used)
    assert (found.names, found.text) == (names, text)


def test_fewer_gpus_than_are_required_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With what to do."""
    Config(monkeypatch)
    with pytest.raises(ConfigurationError, match=r"on 3 GPUs .* TensorFlow sees 2 on"):
        devices.for_learner(LearnerDevice("gpu", 3))
