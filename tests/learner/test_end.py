"""learner/end.py: who ends a run first decides what it has come to."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from experiment import run_status
from learner.end import end_run
from learner.trainer import Trainer
from reverb_server import run_tables
from tests.learner.conftest import Learning


def values_of(trainer: Trainer) -> list[np.ndarray]:
    """Of the weights that travel, the train step last."""
    return [variable.numpy() for variable in tf.nest.flatten(trainer.weights)]


def test_the_learner_ends_the_run_or_takes_over_its_end(learning: Learning) -> None:
    """With its own weights if it is the first, and else with those of the first."""
    run, trainer = learning.run.join("learner"), learning.build()
    initial = values_of(trainer)
    end_run(trainer, run)
    status, weights = run_tables.read_end(run.address)
    assert status == run_status.MAX_TRAIN_STEPS
    np.testing.assert_equal([w.numpy() for w in tf.nest.flatten(weights)], initial)

    for variable in tf.nest.flatten(trainer.weights):
        variable.assign_add(tf.ones_like(variable))
    end_run(trainer, run)
    np.testing.assert_equal(values_of(trainer), initial)
    _, weights = run_tables.read_end(run.address)
    np.testing.assert_equal([w.numpy() for w in tf.nest.flatten(weights)], initial)
