"""experiment/environments.py: real gym environments, as the agents see them."""

from __future__ import annotations

import functools
from typing import Any, Callable

import gym
import numpy as np
import pytest
from gym.envs.classic_control.cartpole import CartPoleEnv
from tf_agents.environments import (
    batched_py_environment,
    py_environment,
    wrappers,
)
from tf_agents.trajectories import time_step as ts

from experiment import environments
from experiment.errors import ConfigurationError

Policy = Callable[[np.ndarray], Any]


def balance(observation: np.ndarray) -> int:
    """Keeps CartPole's pole up for as long as one likes."""
    position, velocity, angle, turn = observation
    return int(angle + 0.5 * turn + 0.05 * position + 0.1 * velocity > 0)


def push_right(observation: np.ndarray) -> int:
    """Lets the pole fall within a dozen steps."""
    return 1


def episode(
    environment: py_environment.PyEnvironment, policy: Policy, most: int = 1_000
) -> list[ts.TimeStep]:
    """The steps of an episode, or as many of them as asked for."""
    steps = [environment.reset()]
    while not steps[-1].is_last() and len(steps) <= most:
        action = np.asarray(policy(steps[-1].observation), np.int64)
        steps.append(environment.step(action))
    return steps


def batch_of(count: int, seed: int) -> batched_py_environment.BatchedPyEnvironment:
    """CartPoles."""
    factory = functools.partial(environments.gym_environment, "CartPole-v1")
    return environments.batched(factory, count, np.random.SeedSequence(seed))


def observations(
    environment: batched_py_environment.BatchedPyEnvironment, steps: int = 40
) -> np.ndarray:
    """What all environments show while they are pushed to the right, [steps, B, 4]."""
    right = np.ones(environment.batch_size, np.int64)
    seen = [environment.reset().observation]
    seen += [environment.step(right).observation for _ in range(steps)]
    return np.stack(seen)


def test_the_time_limit_keeps_the_discount() -> None:
    """The episode was cut off; the pole still stands, and its value goes on."""
    steps = episode(environments.gym_environment("CartPole-v1", 7), balance)
    assert len(steps) == 1 + 7
    assert steps[-1].is_last()
    assert [float(step.discount) for step in steps] == [1.0] * 8


def test_a_fallen_pole_takes_the_discount() -> None:
    """Nothing follows it, time limit or not."""
    for limit in (None, 0, 100):
        steps = episode(environments.gym_environment("CartPole-v1", limit), push_right)
        assert len(steps) < 20
        assert [float(step.discount) for step in steps[:-1]] == [1.0] * (len(steps) - 1)
        assert steps[-1].discount == 0.0


@pytest.mark.parametrize(
    ("name", "limit"), [("CartPole-v0", 200), ("CartPole-v1", 500)]
)
def test_the_time_limit_is_the_registered_one(name: str, limit: int) -> None:
    """Unless another is asked for; gym's own wrapper must not end it as a fall."""
    steps = episode(environments.gym_environment(name), balance)
    assert len(steps) == 1 + limit
    assert steps[-1].discount == 1.0


def test_an_environment_that_cuts_off_by_itself_keeps_the_discount() -> None:
    """One alone and one of a batch; where the pole falls, it is lost."""
    environment = environments.GymEnvironment(
        lambda: gym.wrappers.TimeLimit(CartPoleEnv(), 7), None
    )
    single = episode(environment, balance)
    batch = episode(environment.batch(1), lambda seen: [balance(seen[0])])
    for steps in (single, batch):
        assert len(steps) == 1 + 7
        assert [float(np.ravel(step.discount)[0]) for step in steps] == [1.0] * 8
    fallen = environments.GymEnvironment(
        lambda: gym.wrappers.TimeLimit(CartPoleEnv(), 100), None
    )
    assert episode(fallen, push_right)[-1].discount == 0.0


def test_a_time_limit_of_0_is_none() -> None:
    """Nor is the registered one in force."""
    environment = environments.gym_environment("CartPole-v0", max_episode_steps=0)
    steps = episode(environment, balance, most=600)
    assert len(steps) == 1 + 600
    assert not steps[-1].is_last()


def test_an_environment_without_a_registered_limit_can_be_made() -> None:
    """Blackjack ends of itself."""
    environment = environments.gym_environment("Blackjack-v1")
    assert episode(environment, lambda _: 0)[-1].is_last()


@pytest.mark.parametrize("limit", [-1, 0.5, "200", True])
def test_a_time_limit_that_is_none_is_refused(limit: int) -> None:
    """The gin parameter is named."""
    with pytest.raises(ConfigurationError, match=r"gym_environment\.max_episode_steps"):
        environments.gym_environment("CartPole-v1", limit)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CartPol-v1", "CartPole-v1"),
        ("cartpole-v1", "CartPole-v1"),
        ("CartPole-v9", "CartPole-v1"),
        ("CartPole", "CartPole-v1"),
    ],
)
def test_an_unknown_name_is_answered_with_what_was_meant(name: str, meant: str) -> None:
    """On one line, with what was written."""
    with pytest.raises(ConfigurationError) as raised:
        environments.gym_environment(name)
    first = str(raised.value).splitlines()[0]
    assert first.startswith(f"gym_environment.name is {name!r}")
    assert meant in first.split("did you mean")[1]


@pytest.mark.parametrize("name", ["", "no such environment", "nomodule:CartPole-v1"])
def test_a_name_like_no_other_is_refused(name: str) -> None:
    """Names there are are suggested all the same."""
    with pytest.raises(ConfigurationError, match=r"did you mean .+-v") as raised:
        environments.gym_environment(name)
    assert f"gym_environment.name is {name!r}" in str(raised.value)


@pytest.mark.parametrize("name", [None, 1, ["CartPole-v1"]])
def test_a_name_is_a_text(name: Any) -> None:
    """Gym fails in its own way at anything else."""
    with pytest.raises(ConfigurationError, match=r"gym_environment\.name is"):
        environments.gym_environment(name)


def test_an_environment_that_needs_more_than_gym_is_refused() -> None:
    """The reason is gym's; another name would not help, least of all its own."""
    with pytest.raises(ConfigurationError, match="install what it needs") as raised:
        environments.gym_environment("LunarLander-v2")
    assert "did you mean" not in str(raised.value)


@pytest.mark.parametrize("count", [1, 3])
def test_a_batch_has_a_leading_dimension(count: int) -> None:
    """One environment too; the specs stay those of one step."""
    environment = batch_of(count, seed=0)
    assert environment.batch_size == count
    assert environment.time_step_spec().observation.shape == (4,)
    for step in (environment.reset(), environment.step(np.ones(count, np.int64))):
        assert step.observation.shape == (count, 4)
        assert step.reward.shape == step.discount.shape == (count,)
        assert step.step_type.shape == (count,)


def test_one_environment_of_a_batch_can_end_before_the_others() -> None:
    """It begins anew with the next step; the time limit counts for each alone."""
    factory = functools.partial(environments.gym_environment, "CartPole-v1", 30)
    environment = environments.batched(factory, 2, np.random.SeedSequence(0))
    step, ends = environment.reset(), []
    for number in range(1, 32):
        actions = [push_right(step.observation[0]), balance(step.observation[1])]
        step = environment.step(np.array(actions, np.int64))
        ends += [
            (number, env, float(step.discount[env]))
            for env in np.where(step.is_last())[0]
        ]
    falls = [end for end in ends if end[1] == 0]
    assert len(falls) >= 2
    assert {discount for _, _, discount in falls} == {0.0}
    assert [end for end in ends if end[1] == 1] == [(30, 1, 1.0)]
    assert step.is_first()[1]


def test_the_same_seed_gives_the_same_trajectory() -> None:
    """Beyond the first episodes: the seed is not used up by the first reset."""
    first, again = observations(batch_of(3, 5)), observations(batch_of(3, 5))
    np.testing.assert_array_equal(first, again)


def test_each_environment_and_each_seed_has_its_own_trajectory() -> None:
    """Copies of one episode would teach no more than one."""
    several = [observations(batch_of(3, seed)) for seed in (5, 6)]
    starts = np.concatenate([seen[0] for seen in several])
    assert len(np.unique(starts, axis=0)) == 6


class Unseeded(wrappers.PyEnvironmentBaseWrapper):
    """An environment of a user who has not thought of seeds."""

    def seed(self, seed: int) -> None:
        """As `PyEnvironment` has it."""
        raise NotImplementedError("No seed support for this environment.")


def test_an_environment_that_cannot_be_seeded_is_refused() -> None:
    """By its name: the run could not be repeated."""
    with pytest.raises(ConfigurationError, match=r"Unseeded has no method seed"):
        environments.batched(
            lambda: Unseeded(environments.gym_environment("CartPole-v1")),
            2,
            np.random.SeedSequence(0),
        )


def test_a_frame_is_drawn_without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the videos, on hosts that have none."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    environment = environments.gym_environment("CartPole-v1")
    environment.reset()
    frame = environment.render()
    assert frame.shape == (400, 600, 3)
    assert frame.dtype == np.uint8
    assert len(np.unique(frame.reshape(-1, 3), axis=0)) > 2  # Cart, pole, ground.
    environment.close()
