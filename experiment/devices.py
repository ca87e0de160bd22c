"""Which devices and how many threads TensorFlow may use in a process."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

import tensorflow as tf

from experiment import flags, process
from experiment.errors import EXIT_FINISHED, ConfigurationError
from experiment.learner_device import CPU, GPU, LearnerDevice


@dataclasses.dataclass(frozen=True)
class Devices:
    """What a learner trains on.

    Attributes:
      names: Of TensorFlow's logical devices, e.g. `GPU:0`.
      text: The same for people.
    """

    names: Sequence[str]
    text: str

    def strategy(self) -> tf.distribute.Strategy:
        """Trains on them: on one as TensorFlow does by itself, on several mirrored."""
        if len(self.names) == 1:
            return tf.distribute.get_strategy()
        return tf.distribute.MirroredStrategy(self.names)


def use_one_cpu_thread() -> None:
    """For all roles but the learner: no GPU, one thread.

    Many processes share a machine, and their policies are too small to be spread
    over threads. Call it before TensorFlow does anything.
    """
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def for_learner(wanted: LearnerDevice) -> Devices:
    """Lets TensorFlow see what the learner trains on, and nothing else.

    The memory of GPUs is taken as needed, not all at once. Call it before TensorFlow
    does anything.

    Args:
      wanted: As the user wants it.

    Returns:
      What it is; also logged.

    Raises:
      ConfigurationError: There are fewer GPUs than required.
    """
    found = tf.config.list_physical_devices("GPU")
    if wanted.kind == GPU and len(found) < wanted.gpus:
        raise ConfigurationError(
            f"the learner is to train on {_count(wanted.gpus)} (--learner_device=gpu, "
            f"--require_gpu, --learner_gpus), but TensorFlow sees "
            f"{len(found) or 'none'} on this host; `python -m launch.doctor "
            "--require_gpu` says why. --learner_device=cpu trains without."
        )
    used = [] if wanted.kind == CPU else found[: wanted.gpus]
    tf.config.set_visible_devices(used, "GPU")
    for gpu in used:
        tf.config.experimental.set_memory_growth(gpu, True)
    devices = _describe(wanted, used)
    logging.info("the learner trains on %s", devices.text)
    return devices


def _describe(
    wanted: LearnerDevice, used: Sequence[tf.config.PhysicalDevice]
) -> Devices:
    if not used:
        why = "--learner_device=cpu" if wanted.kind == CPU else "no GPU is seen"
        return Devices(["CPU:0"], f"the processor ({why})")
    details = map(tf.config.experimental.get_device_details, used)
    models = ", ".join(each.get("device_name", "of unknown kind") for each in details)
    names = [f"GPU:{number}" for number in range(len(used))]
    return Devices(names, f"{_count(len(used))} ({models})")


def _count(gpus: int) -> str:
    return "1 GPU" if gpus == 1 else f"{gpus} GPUs"


def main(wanted: LearnerDevice) -> int:
    """For a launcher that wants to know before it starts others."""
    for_learner(wanted)
    return EXIT_FINISHED


if __name__ == "__main__":
    _WANTED = flags.define_learner_device()
    process.run(lambda: main(_WANTED()))
