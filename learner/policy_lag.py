"""How old the policy was that chose a sampled action, in gradient steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from reverb_server.replay_dataset import SampleInfo
from reverb_server.replay_layout import RANDOM_POLICY


class PolicyLag:
    """Measures, inside the training graph, the lag of all transitions trained on.

    Pass it to the learner as `after_train_strategy_step_fn`.
    """

    def __init__(self, train_step: tf.Variable, steps_per_batch: int = 1) -> None:
        """Measures nothing yet.

        Args:
          train_step: int64 scalar, the learner's.
          steps_per_batch: Gradient steps taken for each batch; the lag is that at the
            first of them.
        """
        self._train_step = train_step
        self._steps_per_batch = steps_per_batch
        self._sum = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._count = tf.Variable(0, dtype=tf.int64, trainable=False)
        # Of the newest batches, one after the other.
        self._newest = tf.Variable(
            [], shape=[None], dtype=tf.int64, trainable=False, validate_shape=False
        )

    def __call__(self, sample: tuple[Any, SampleInfo], loss_info: Any) -> None:
        """Adds the lag of N batches; the random policy's transitions have none."""
        del loss_info
        versions = sample[1].policy_train_step
        # The gradient steps are counted already.
        before = tf.range(tf.shape(versions, tf.int64)[0], 0, -1)
        steps = self._train_step - before * self._steps_per_batch
        known = versions != RANDOM_POLICY
        lags = tf.where(known, steps[:, tf.newaxis] - versions, 0)
        self._sum.assign_add(tf.reduce_sum(lags))
        self._count.assign_add(tf.math.count_nonzero(known))
        self._newest.assign(lags[known])

    @property
    def newest(self) -> np.ndarray:
        """Lags in the newest batches trained on, int64 [transitions]; may be empty."""
        lags: np.ndarray = self._newest.numpy()
        return lags

    def take(self) -> float | None:
        """Mean lag in gradient steps since the last call; None if there is none."""
        count, total = int(self._count), int(self._sum)
        self._sum.assign(0)
        self._count.assign(0)
        return total / count if count else None
