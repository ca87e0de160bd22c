"""Whether the learner would really use a GPU, if there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import tensorflow as tf

from experiment import devices
from experiment.devices import Devices
from experiment.errors import one_line
from experiment.learner_device import CPU, GPU, LearnerDevice
from launch.doctor.finding import FAIL, OK, WARN, Finding
from launch.doctor.options import Options

_DRIVER_TIMEOUT_S = 10

# Of the matrices that are multiplied.
_SIDE = 64

_GPUS = Path("/proc/driver/nvidia/gpus")


def check(options: Options) -> Finding:
    """Compares what the driver has with what TensorFlow sees, and computes there."""
    wanted = LearnerDevice.of_flags(
        options.learner_device, options.require_gpu, options.learner_gpus
    )
    if wanted.kind == CPU:
        return Finding(OK, "gpu", f"not used: {devices.for_learner(wanted).text}")
    found, seen = _found(), len(tf.config.list_physical_devices("GPU"))
    if not seen:
        is_required = wanted.kind == GPU
        if found:
            missing = _not_seen(found)
            return missing._replace(level=FAIL) if is_required else missing
        if is_required:
            return Finding(FAIL, "gpu", "none, but the run requires one", _NEEDED)
        return Finding(OK, "gpu", "none: the learner uses the processor")
    found = found or "no nvidia-smi"
    if seen < wanted.gpus:
        text = f"TensorFlow sees {seen} of the {wanted.gpus} of --learner_gpus"
        return Finding(FAIL, "gpu", f"{found}; {text}", _NEEDED)
    return _compute(devices.for_learner(wanted), found)


def _compute(used: Devices, found: str) -> Finding:
    """Lets XLA compute on each device, as the learner does."""
    for name in used.names:
        try:
            with tf.device(name):
                product = _product(tf.zeros([_SIDE, _SIDE]))
            computed_by, is_right = product.device, float(product[0, 0]) == _SIDE
        except tf.errors.OpError as error:
            text = f"{found}, but {name} cannot compute: {one_line(error)}"
            return Finding(FAIL, "gpu", text, _REMEDY)
        if name not in computed_by or not is_right:
            return Finding(FAIL, "gpu", f"{found}, but {computed_by} computes", _REMEDY)
    return Finding(OK, "gpu", f"{found}; {used.text}: XLA computes there")


@tf.function(jit_compile=True)
def _product(zeros: tf.Tensor) -> tf.Tensor:
    """Needs the libraries for products, and the one that XLA has exp from."""
    return tf.matmul(tf.exp(zeros), tf.exp(zeros))


_NEEDED = "start the learner on a host that has it, or leave out what requires it"
_REMEDY = "bring the driver up to date, or hide the GPU by --learner_device=cpu"


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
        ".venv/bin/pip install -e '.[gpu]'",
    )
