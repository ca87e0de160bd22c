"""learner/builder.py: a learner that is new, and one that goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from experiment import definition, seeding
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


def test_a_resumed_learner_is_the_one_that_was_saved_last(learning: Learning) -> None:
    """Weights, target network, optimizer and train step; not the initial ones."""
    learning.fill()
    first = learning.build()
    for step in (2, 4, 6, 10):
        run_until(first, step)
        first.save()
    found = (learning.root_dir / "train" / "checkpoints").glob("ckpt-*.index")
    assert {path.stem for path in found} == {"ckpt-4", "ckpt-6", "ckpt-10"}
    resumed = learning.build()
    assert resumed.train_step == 10
    assert different(first, resumed) == set()
    assert int(resumed._agent._optimizer.iterations) == 10
    # And what is compared does change when it is trained.
    run_until(first, 100)
    everything = {"online", "target", "optimizer", "train step", "agent"}
    assert different(first, resumed) == everything


def test_the_seed_of_the_run_decides_on_the_initial_weights(
    learning: Learning,
) -> None:
    """And is not that of another role."""
    member = learning.run.join("learner")
    member.manifest = dataclasses.replace(member.manifest, seed=3)
    trainer = builder.build(
        learning.experiment, member, learning.root_dir, tf.distribute.get_strategy()
    )
    built = [variable.numpy() for variable in trainer._agent.policy.variables()]
    same = []
    for seed, role in ((3, "learner"), (4, "learner"), (3, "actor")):
        seeding.seed_role(seed, role)
        agent, _ = learning.experiment.make_agent(learning.experiment.environment())
        weights = agent.policy.variables()
        same.append(np.array_equal(built[0], weights[0].numpy()))
    assert same == [True, False, False]


def test_a_table_of_another_experiment_is_refused(tmp_path: Path) -> None:
    """Rather than read as something that it is not."""
    served = definition.load_text(CARTPOLE)
    other = definition.load_text(CARTPOLE + "Replay.transitions_per_item = 2\n")
    refused = pytest.raises(ConfigurationError, match="the replay table holds")
    with serve(served, tmp_path) as run, refused:
        builder.build(
            other, run.join("learner"), tmp_path, tf.distribute.get_strategy()
        )
