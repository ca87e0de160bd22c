"""experiment/observe_only.py: the same environments, of which less is seen."""

from __future__ import annotations

import functools
from typing import Any, Callable

import numpy as np
import pytest
from tf_agents.environments import py_environment, utils, wrappers
from tf_agents.specs import array_spec

from experiment import environments
from experiment.envpool_environment import EnvPoolBatch, envpool_environment
from experiment.errors import ConfigurationError
from experiment.gym_batch import GymBatch
from experiment.observe_only import observe_only
from tests.experiment.made_presets import needs_envpool
from tests.faults import faulty_environments

cartpole = functools.partial(environments.gym_environment, "CartPole-v1")


def wrapped_cartpole() -> py_environment.PyEnvironment:
    """One that cannot be stepped as a batch."""
    return wrappers.PyEnvironmentBaseWrapper(cartpole())


FACTORIES = [
    cartpole,
    wrapped_cartpole,
    pytest.param(
        functools.partial(envpool_environment, "CartPole-v1"), marks=needs_envpool
    ),
]


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("entries", [(0, 2), (3, 1, 0)])
def test_a_batch_shows_these_entries_and_is_the_same_else(
    factory: Callable[[], Any], entries: tuple[int, ...]
) -> None:
    """Of the same seed, over several episodes; steps and specs."""
    seed = np.random.SeedSequence(2)
    whole = environments.batched(factory, 3, seed)
    part = environments.batched(
        functools.partial(observe_only, factory, entries), 3, seed
    )
    assert part.batch_size == 3
    spec, narrow = whole.observation_spec(), part.observation_spec()
    assert narrow.shape == (len(entries),)
    assert narrow.dtype == spec.dtype
    np.testing.assert_array_equal(
        narrow.maximum, np.broadcast_to(spec.maximum, (4,))[list(entries)]
    )
    assert part.time_step_spec().observation == narrow
    steps, ended = (whole.reset(), part.reset()), 0
    for _ in range(40):
        np.testing.assert_array_equal(
            steps[0].observation[:, list(entries)], steps[1].observation
        )
        for one, other in zip(steps[0][:3], steps[1][:3]):
            np.testing.assert_array_equal(one, other)
        ended += int(steps[0].is_last().sum())
        steps = tuple(batch.step(np.ones(3, np.int64)) for batch in (whole, part))
    assert ended >= 3


@pytest.mark.parametrize("factory", FACTORIES)
def test_factors_multiply_what_is_seen_and_its_bounds(
    factory: Callable[[], Any],
) -> None:
    """One entry each; no bound becomes infinite, and the type stays."""
    seed = np.random.SeedSequence(2)
    whole = environments.batched(factory, 3, seed)
    make = functools.partial(observe_only, factory, (1, 2), (4.0, 20.0))
    part = environments.batched(make, 3, seed)
    spec = part.observation_spec()
    assert spec.dtype == np.float32
    assert np.isfinite(spec.maximum).all()
    bound = np.broadcast_to(whole.observation_spec().maximum, (4,))[2]
    assert spec.maximum[1] == pytest.approx(20.0 * bound)
    whole.reset(), part.reset()
    for _ in range(12):
        action = np.ones(3, np.int64)
        expected = whole.step(action).observation[:, [1, 2]] * np.asarray(
            [4.0, 20.0], np.float32
        )
        seen = part.step(action).observation
        assert seen.dtype == np.float32
        np.testing.assert_array_equal(seen, expected)


@pytest.mark.parametrize("factory", FACTORIES)
def test_the_last_action_is_shown_but_for_the_first_step_of_an_episode(
    factory: Callable[[], Any],
) -> None:
    """Of each environment of a batch its own."""
    make = functools.partial(observe_only, factory, (2,), None, True)
    batch = environments.batched(make, 3, np.random.SeedSequence(2))
    assert batch.observation_spec().shape == (3,)
    np.testing.assert_array_equal(batch.observation_spec().maximum[1:], [1, 1])
    np.testing.assert_array_equal(batch.reset().observation[:, 1:], np.zeros((3, 2)))
    numbers, firsts = np.random.default_rng(5), 0
    for _ in range(60):
        action = numbers.integers(2, size=3)
        step = batch.step(action)
        is_first = step.is_first()
        shown = np.stack([1 - action, action], axis=1) * ~is_first[:, None]
        np.testing.assert_array_equal(step.observation[:, 1:], shown)
        assert step.observation.dtype == np.float32
        firsts += int(is_first.sum())
    assert firsts >= 3


def test_only_an_action_of_choices_can_be_shown() -> None:
    """Not a torque."""
    make = functools.partial(environments.gym_environment, "Pendulum-v1")
    with pytest.raises(
        ConfigurationError, match=r"observe_only\.last_action is True, b"
    ):
        observe_only(make, (0,), None, True)
    with pytest.raises(ConfigurationError, match=r"observe_only\.last_action is 1"):
        observe_only(cartpole, (0,), None, 1)


def test_batches_keep_their_speed() -> None:
    """They are those of the environment itself."""
    make = functools.partial(observe_only, cartpole, (0,))
    assert type(environments.together(make, 2).wrapped_env()) is GymBatch


@needs_envpool
def test_batches_of_envpool_are_narrowed_too() -> None:
    """Below the recovery."""
    make = functools.partial(envpool_environment, "CartPole-v1")
    batch = environments.together(functools.partial(observe_only, make, (0,)), 2)
    assert type(batch.wrapped_env().wrapped_env()) is EnvPoolBatch


def test_failures_are_counted() -> None:
    """By the batch below."""
    crashing = functools.partial(faulty_environments.crashing_cartpole, 0.1)
    make = functools.partial(observe_only, crashing, (0, 2))
    batch = environments.batched(make, 4, np.random.SeedSequence(3))
    step = batch.reset()
    for _ in range(60):
        step = batch.step(np.zeros(4, np.int64))
        assert step.observation.shape == (4, 2)
    assert batch.recovery.failures > 5


def test_one_environment_is_what_tf_agents_expects() -> None:
    """And can be drawn."""
    environment = observe_only(cartpole, (0, 2), (1.0, 20.0), True)
    utils.validate_py_environment(environment, episodes=2)
    environment.seed(1)
    environment.reset()
    assert environment.render().shape == (400, 600, 3)


@pytest.mark.parametrize("entries", [(), (4,), (-1,), (0.5,), (True,), 1, "02", (1, 1)])
def test_entries_that_there_are_not_are_refused(entries: Any) -> None:
    """The gin parameter is named."""
    with pytest.raises(ConfigurationError, match=r"observe_only\.entries is"):
        observe_only(cartpole, entries)


@pytest.mark.parametrize(
    "factors",
    [(), (1.0,), (1.0, 0.0), (1.0, -2.0), (1.0, "2"), 3.0, (1.0, float("nan"))],
)
def test_factors_that_are_not_one_for_each_entry_are_refused(factors: Any) -> None:
    """The gin parameter is named."""
    with pytest.raises(ConfigurationError, match=r"observe_only\.factors is"):
        observe_only(cartpole, (0, 2), factors)


def test_whole_numbers_have_no_factors() -> None:
    """Products of theirs would be cut off."""
    environment = cartpole()
    spec = array_spec.ArraySpec((4,), np.int32)
    environment.observation_spec = lambda: spec
    with pytest.raises(ConfigurationError, match="but the observation is of int32; l"):
        observe_only(lambda: environment, (1,), (2.0,))


@pytest.mark.parametrize("name", ["FrozenLake-v1", "Blackjack-v1"])
def test_only_vectors_have_entries(name: str) -> None:
    """A number and a tuple have none."""
    make = functools.partial(environments.gym_environment, name)
    with pytest.raises(ConfigurationError, match=r"observe_only\.environment has"):
        observe_only(make, (0,))


def test_a_spec_without_bounds_is_narrowed() -> None:
    """As TF-Agents' own environments have it."""
    environment = cartpole()
    spec = array_spec.ArraySpec((4,), np.float32)
    environment.observation_spec = lambda: spec
    assert observe_only(lambda: environment, (1,)).observation_spec().shape == (1,)
    assert environment.observation_spec() is spec


def test_the_environment_is_a_factory() -> None:
    """Not the environment itself."""
    with pytest.raises(ConfigurationError, match=r"observe_only\.environment is"):
        observe_only("CartPole-v1", (0,))
