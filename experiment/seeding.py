"""Seeds: one number for the run, an independent stream for each role and task.

Reverb's own sampler cannot be seeded, so which transitions a batch holds differs
from run to run even in one process.
"""

from __future__ import annotations

import random
import zlib

import numpy as np
import tensorflow as tf


def seed_role(seed: int, role: str, task: int = 0) -> np.random.SeedSequence:
    """Seeds Python, NumPy and TensorFlow for one process.

    Args:
      seed: The run's seed.
      role: Name of the role, so that an actor's numbers are not the learner's.
      task: Number of the process within its role.

    Returns:
      The source of further seeds, e.g. for the environments.
    """
    sequence = np.random.SeedSequence([seed, task, zlib.crc32(role.encode())])
    state = [int(number) for number in sequence.generate_state(3)]
    random.seed(state[0])
    np.random.seed(state[1])  # noqa: NPY002  (TF-Agents and environments use it)
    tf.random.set_seed(state[2])
    return sequence.spawn(1)[0]
