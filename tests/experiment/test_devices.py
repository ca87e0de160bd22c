"""experiment/devices.py: in a process of its own, as it must come first there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SCRIPT = """
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
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.stdout.split() == ["1", "1", "0"], ended.stderr
