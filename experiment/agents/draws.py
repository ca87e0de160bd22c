"""Random numbers of gradient steps: they follow the run's seed, compiled or not."""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf
from tf_agents.typing import types


class Draws:
    """Seeds for TensorFlow's stateless random operations, one for each draw.

    XLA's own generator heeds no seed: on a processor, with TensorFlow 2.15, what it
    draws is the same in every process.
    """

    def __init__(self, train_step: tf.Variable) -> None:
        """Args: train_step: Counts gradient steps; each draws other numbers."""
        self._train_step = train_step
        # Follows from the run's, see `seeding.seed_role`.
        self._seed = int(np.random.randint(2**31 - 1))  # noqa: NPY002
        self._draws = itertools.count()  # In a graph: the places of each trace.

    def seed(self) -> types.Tensor:
        """Of the next draw: int32 [2]."""
        own = tf.constant([self._seed, next(self._draws)], tf.int32)
        step = tf.cast(self._train_step, tf.int32)
        return tf.random.experimental.stateless_fold_in(own, step)
