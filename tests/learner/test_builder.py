"""learner/builder.py: a learner that is new, and one that goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from experiment import definition
from experiment.errors import ConfigurationError
from learner import builder
from learner.trainer import Trainer
from tests.actor.served_run import serve
from tests.learner.conftest import CARTPOLE, Learning, run_until


def state(trainer: Trainer) -> dict[str, np.ndarray]:
    """All that decides how training goes on."""
    agent = trainer._agent
    groups = {
        "online": agent._q_network.variables,
        "target": agent._target_q_network.variables,
        "optimizer": agent._optimizer.variables,
        "train step": [trainer._learner.train_step],
        "agent": agent.variables,  # With what counts to the next target update.
    }
    return {
        f"{group} {number}": variable.numpy()
        for group, variables in groups.items()
        for number, variable in enumerate(
            variables() if callable(variables) else variables
        )
    }


def different(one: Trainer, other: Trainer) -> set[str]:
    """The groups of variables in which they are not the same, to the last bit."""
    mine, theirs = state(one), state(other)
    assert list(mine) == list(theirs)
    return {
        name.rpartition(" ")[0]
        for name, value in mine.items()
        if not np.array_equal(value, theirs[name])
    }


def test_a_resumed_learner_is_the_one_that_was_saved(learning: Learning) -> None:
    """Weights, target network, optimizer and train step; not the initial ones."""
    learning.fill()
    first = learning.build()
    run_until(first, 10)
    first.save()
    resumed = learning.build()
    assert resumed.train_step == 10
    assert different(first, resumed) == set()
    assert int(resumed._agent._optimizer.iterations) == 10
    run_until(first, 11)
    everything = {"online", "target", "optimizer", "train step", "agent"}
    assert different(first, resumed) == everything


def test_the_newest_of_several_checkpoints_is_taken(learning: Learning) -> None:
    """Three are kept."""
    learning.fill()
    first = learning.build()
    for step in (2, 4, 6, 8):
        run_until(first, step)
        first.save()
    found = (learning.root_dir / "train" / "checkpoints").glob("ckpt-*.index")
    assert {path.stem for path in found} == {"ckpt-4", "ckpt-6", "ckpt-8"}
    resumed = learning.build()
    assert resumed.train_step == 8
    assert different(first, resumed) == set()


def test_the_seed_decides_on_the_initial_weights(learning: Learning) -> None:
    """The same seed makes the same, in a folder without a checkpoint."""
    trainers = []
    for number, seed in enumerate((3, 3, 4)):
        manifest = dataclasses.replace(learning.run.manifest, seed=seed)
        trainers.append(
            builder.build(
                learning.experiment,
                manifest,
                learning.run.address,
                learning.root_dir / str(number),
            )
        )
    assert different(trainers[0], trainers[1]) == set()
    assert "online" in different(trainers[0], trainers[2])


def test_losses_are_there_for_tensorboard(learning: Learning) -> None:
    """At multiples of the interval."""
    train = dataclasses.replace(learning.experiment.train, summary_interval=5)
    experiment = dataclasses.replace(learning.experiment, train=train)
    learning.fill()
    trainer = dataclasses.replace(learning, experiment=experiment).build()
    run_until(trainer, 12)
    trainer._learner.train_summary_writer.flush()
    steps = [
        event.step
        for path in (learning.root_dir / "train").glob("events.out.tfevents.*")
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "Losses/total_loss"
    ]
    assert steps == [0, 5, 10]


def test_a_table_of_another_experiment_is_refused(tmp_path: Path) -> None:
    """Rather than read as something that it is not."""
    served = definition.load_text(CARTPOLE)
    other = definition.load_text(CARTPOLE + "Replay.transitions_per_item = 2\n")
    with serve(served, tmp_path) as run:
        with pytest.raises(ConfigurationError, match="the replay table holds"):
            builder.build(other, run.manifest, run.address, tmp_path)
