"""experiment/gym_batch.py: what TF-Agents' wrappers would have said, only sooner."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import py_environment, wrappers

from experiment import environments
from experiment.environments import EnvironmentBatch
from experiment.gym_batch import GymBatch


def both(
    name: str, limit: int | None = None, count: int = 3
) -> tuple[py_environment.PyEnvironment, ...]:
    """A batch without wrappers and one with TF-Agents', of the same seed."""
    factory = functools.partial(environments.gym_environment, name, limit)
    quick = environments.batched(factory, count, np.random.SeedSequence(4))
    assert type(quick) is GymBatch
    wrapped = EnvironmentBatch([factory() for _ in range(count)], factory)
    quick.seed(7)
    wrapped.seed(7)
    return quick, wrapped


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("CartPole-v1", None),
        ("CartPole-v1", 15),
        ("CartPole-v1", 0),
        ("MountainCarContinuous-v0", 20),
        ("Pendulum-v1", 20),
        ("Taxi-v3", 30),
        ("FrozenLake-v1", None),
    ],
)
def test_it_steps_as_the_wrapped_environments_do(name: str, limit: int | None) -> None:
    """Over many episodes, each ending when it does; of whatever spaces."""
    quick, wrapped = both(name, limit)
    for method in ("time_step_spec", "action_spec"):
        assert getattr(quick, method)() == getattr(wrapped, method)()
    random = np.random.default_rng(0)
    steps = quick.reset(), wrapped.reset()
    ended = 0
    for _ in range(120):
        for one, other in zip(*map(tf.nest.flatten, steps)):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        ended += int(steps[0].is_last().sum())
        spec = quick.action_spec()
        if np.issubdtype(spec.dtype, np.integer):
            actions = random.integers(0, spec.maximum + 1, 3).astype(spec.dtype)
        else:
            actions = random.uniform(spec.minimum, spec.maximum, (3, *spec.shape))
        steps = quick.step(actions), wrapped.step(actions)
    assert ended >= 3


def test_what_was_handed_out_stays_as_it_was() -> None:
    """Whoever keeps a time step does not see the next one in it."""
    quick, _ = both("CartPole-v1")
    first = quick.reset()
    kept = tf.nest.map_structure(np.copy, first)
    quick.step(np.ones(3, np.int64))
    for one, other in zip(tf.nest.flatten(first), tf.nest.flatten(kept)):
        np.testing.assert_array_equal(one, other)


def test_a_reset_begins_all_episodes_anew() -> None:
    """The time limit too."""
    quick, _ = both("CartPole-v1", limit=5)
    for _ in range(3):
        quick.step(np.ones(3, np.int64))
    step = quick.reset()
    assert step.is_first().all()
    for number in range(1, 6):
        step = quick.step(np.array([0, 1, number % 2]))
    assert step.is_last().all()
    assert step.discount.tolist() == [1.0] * 3


def test_frames_are_those_of_each_environment() -> None:
    """Without a display."""
    quick, _ = both("CartPole-v1", count=2)
    quick.reset()
    frames = quick.render()
    assert frames.shape == (2, 400, 600, 3)
    quick.close()


class Halved(wrappers.PyEnvironmentBaseWrapper):
    """A wrapper of a user's."""

    def _step(self, action: Any) -> Any:
        step = super()._step(action)
        return step._replace(reward=np.float32(step.reward / 2))


def test_a_wrapper_of_the_users_is_not_passed_by() -> None:
    """TF-Agents' wrappers hand on whatever they are asked for, `batch` too."""
    batch = environments.batched(
        lambda: Halved(environments.gym_environment("CartPole-v1")),
        2,
        np.random.SeedSequence(0),
    )
    batch.reset()
    assert batch.step(np.ones(2, np.int64)).reward.tolist() == [0.5, 0.5]
