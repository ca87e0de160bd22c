"""Which devices and how many threads TensorFlow may use in a process."""

from __future__ import annotations

import tensorflow as tf


def use_one_cpu_thread() -> None:
    """For all roles but the learner: no GPU, one thread.

    Many processes share a machine, and their policies are too small to be spread
    over threads. Call it before TensorFlow does anything.
    """
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def share_gpus() -> None:
    """For the learner: GPU memory is taken as needed, not all at once."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
