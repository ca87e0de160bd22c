"""Whether the learner would really use a GPU, if there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import tensorflow as tf

from experiment import devices, requirements
from experiment.errors import one_line
from launch.doctor.finding import FAIL, OK, WARN, Finding

_DRIVER_TIMEOUT_S = 10

# Of the matrices that are multiplied.
_SIDE = 64

_GPUS = Path("/proc/driver/nvidia/gpus")


def check() -> Finding:
    """Compares what the driver has with what TensorFlow sees, and computes there."""
    found = _found()
    if not found:
        return Finding(OK, "gpu", "none: the learner uses the processor")
    if not tf.config.list_physical_devices("GPU"):
        return _not_seen(found)
    devices.share_gpus()
    try:
        with tf.device("GPU:0"):
            product = tf.matmul(tf.ones([_SIDE, _SIDE]), tf.ones([_SIDE, _SIDE]))
        used = product.device
        is_right = float(product[0, 0]) == _SIDE
    except tf.errors.OpError as error:
        text = f"{found}, but a product cannot be computed there: {one_line(error)}"
        return Finding(FAIL, "gpu", text, _REMEDY)
    if "GPU" not in used or not is_right:
        return Finding(FAIL, "gpu", f"{found}, but {used} computes", _REMEDY)
    return Finding(OK, "gpu", f"{found}; a product was computed by {used}")


_REMEDY = "bring the driver up to date, or hide the GPU by CUDA_VISIBLE_DEVICES=-1"


def _found() -> str:
    """GPUs in words; empty if there are none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        count = len(list(_GPUS.glob("*")))
        return f"{count} NVIDIA GPUs" if count else ""
    try:
        done = subprocess.run(
            [program, "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_DRIVER_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"an nvidia-smi that does not work ({error})"
    return " and ".join(done.stdout.strip().splitlines())


def _not_seen(found: str) -> Finding:
    """What hides GPUs from TensorFlow."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None:
        text = f"{found}, hidden by CUDA_VISIBLE_DEVICES={hidden!r}"
        return Finding(WARN, "gpu", text, "unset it where the learner starts")
    build = tf.sysconfig.get_build_info()
    if not build.get("is_cuda_build"):
        text = f"{found}, but this TensorFlow is built for processors only"
        return Finding(WARN, "gpu", text, "install the package tensorflow instead")
    return Finding(
        WARN,
        "gpu",
        f"{found}, but TensorFlow sees none, so the learner uses the processor; it "
        f"needs CUDA {build['cuda_version']} and cuDNN {build['cudnn_version']}",
        ".venv/bin/pip install 'tensorflow[and-cuda]=="
        f"{requirements.version('tensorflow')}'",
    )
