"""Seeds: one number for the run, an independent stream for each role and task.

Reverb's own sampler cannot be seeded, so which transitions a batch holds differs
from run to run even in one process.
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from experiment.manifest import Manifest


def seed_role(
    seed: int, role: str, task: int = 0, life: Sequence[int] = ()
) -> np.random.SeedSequence:
    """Seeds Python, NumPy and TensorFlow for one process.

    Args:
      seed: The run's seed.
      role: Name of the role, so that an actor's numbers are not the learner's.
      task: Number of the process within its role.
      life: Tells it from those before it, see `life_of`.

    Returns:
      The source of further seeds, e.g. for the environments.
    """
    words = [seed, task, zlib.crc32(role.encode()), *life]
    sequence = np.random.SeedSequence(words)
    state = [int(number) for number in sequence.generate_state(3)]
    random.seed(state[0])
    np.random.seed(state[1])  # noqa: NPY002  (TF-Agents and environments use it)
    tf.random.set_seed(state[2])
    return sequence.spawn(1)[0]


def life_of(manifest: Manifest, is_restart: bool) -> list[int]:
    """Tells a process from those before it, whose random numbers it must not repeat.

    The same episodes again would teach and prove less than new ones.

    Args:
      manifest: Of the run.
      is_restart: Whether it takes the place of a process that has ended.

    Returns:
      Nothing in a new run; as many servers as a resumed run has had; the time of a
      restart, of which nothing can be repeated anyway.
    """
    resumed = [manifest.server_start] if manifest.resumed else []
    return [*resumed, time.time_ns()] if is_restart else resumed
