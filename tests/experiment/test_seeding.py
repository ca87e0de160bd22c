"""experiment/seeding.py: what is random, and what comes back with the seed."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
import tensorflow as tf

from experiment import environments
from experiment.definition import Experiment
from experiment.seeding import life_of, seed_role
from tests.experiment.test_manifest import manifest


def draws() -> tuple[float, ...]:
    """A number of each source of randomness."""
    return (
        random.random(),
        np.random.random(),  # noqa: NPY002  (it is one of those that are seeded)
        float(tf.random.uniform([])),
    )


def weights() -> np.ndarray:
    """Those of a fresh agent, as one vector."""
    agent, _ = Experiment().make_agent(environments.gym_environment("CartPole-v1"))
    return np.concatenate([v.numpy().ravel() for v in agent.policy.variables()])


def test_the_same_seed_role_and_task_draw_the_same() -> None:
    """Whatever was drawn before; the source of further seeds does too."""
    first = seed_role(3, "actor", 1)
    drawn = draws()
    draws()
    again = seed_role(3, "actor", 1)
    assert draws() == drawn
    np.testing.assert_array_equal(first.generate_state(8), again.generate_state(8))


@pytest.mark.parametrize(
    "other", [(4, "actor", 1), (3, "learner", 1), (3, "actor", 2), (1, "actor", 3)]
)
def test_another_seed_role_or_task_draws_otherwise(other: tuple[int, str, int]) -> None:
    """In all sources, so that no two actors collect the same."""
    source = seed_role(3, "actor", 1)
    drawn = draws()
    other_source = seed_role(*other)
    assert all(mine != theirs for mine, theirs in zip(drawn, draws()))
    mine, theirs = source.generate_state(8), other_source.generate_state(8)
    assert not set(mine.tolist()) & set(theirs.tolist())


def test_the_same_seed_makes_the_same_weights() -> None:
    """And another seed others."""
    made = []
    for seed in (1, 1, 2):
        seed_role(seed, "learner")
        made.append(weights())
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])


def test_whoever_comes_back_does_not_draw_the_same_again() -> None:
    """A restart, twice; and a resumed run, which draws what its past tells."""
    new = dataclasses.replace(manifest(), resumed=False)
    resumed = dataclasses.replace(new, resumed=True, server_start=2)
    lives = [
        life_of(new, False),
        life_of(new, True),
        life_of(new, True),
        life_of(resumed, False),
        life_of(resumed, True),
    ]
    drawn = []
    for life in lives:
        seed_role(3, "actor", 1, life)
        drawn.append(draws())
    assert len(set(drawn)) == len(lives)
    seed_role(3, "actor", 1)
    assert draws() == drawn[0]
    assert life_of(resumed, False) == lives[3]
