"""Whether there are the GPUs that a run requires, before anything of it is started."""

from __future__ import annotations

import os
import subprocess
import sys

from experiment.errors import (
    EXIT_CONFIGURATION,
    EXIT_FINISHED,
    FATAL_MARK,
    ConfigurationError,
)
from experiment.learner_device import LearnerDevice
from launch.children import RUN_MODULE

# Seconds. Importing TensorFlow takes two, but half a minute on a busy machine.
_TIMEOUT_S = 120


def check(wanted: LearnerDevice) -> None:
    """Asks TensorFlow, in a process of its own: a launcher does not import it.

    Raises:
      ConfigurationError: There are fewer, or it does not answer, or fails to.
    """
    if not wanted.required_gpus:
        return
    try:
        done = subprocess.run(
            [sys.executable, RUN_MODULE, "experiment.devices", *wanted.flags()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(
            f"TensorFlow has not said in {_TIMEOUT_S} s whether it sees a GPU: its "
            "driver may hang; see nvidia-smi, or take --learner_device=cpu."
        ) from error
    if done.returncode == EXIT_FINISHED:
        return
    lines = done.stderr.splitlines()
    told = [line for line in lines if FATAL_MARK in line]
    if told and done.returncode == EXIT_CONFIGURATION:
        raise ConfigurationError(told[-1].partition(FATAL_MARK)[2])
    raise ConfigurationError(
        f"TensorFlow failed with exit code {done.returncode} when asked for its GPUs "
        f"({lines[-1] if lines else 'it said nothing'}): its driver may be broken; see "
        "nvidia-smi, or take --learner_device=cpu."
    )
