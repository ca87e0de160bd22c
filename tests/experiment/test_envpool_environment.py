"""experiment/envpool_environment.py: EnvPool's environments against those of gym."""

from __future__ import annotations

import sys
from typing import Any, Callable

import numpy as np
import pytest
from tf_agents.environments import py_environment, utils
from tf_agents.trajectories import time_step as ts

from experiment import environments, envpool_environment
from tests.experiment.made_presets import needs_envpool

Policy = Callable[[np.ndarray], Any]


def make(name: str = "CartPole-v1", limit: int | None = None) -> Any:
    """One environment."""
    return envpool_environment.envpool_environment(name, limit)


def batch_of(count: int, seed: int, limit: int | None = None) -> Any:
    """CartPoles."""
    batch = make(limit=limit).batch(count)
    batch.seed(seed)
    return batch


def balance(observation: np.ndarray) -> np.ndarray:
    """Keeps CartPole's pole up for as long as one likes."""
    weights = np.array([0.05, 0.1, 1.0, 0.5])
    return (observation @ weights > 0).astype(np.int64)


def push_right(observation: np.ndarray) -> np.ndarray:
    """Lets the pole fall within a dozen steps."""
    return np.ones(observation.shape[:-1], np.int64)


def steps_of(
    environment: py_environment.PyEnvironment, policy: Policy, steps: int
) -> list[ts.TimeStep]:
    """A reset and so many steps, beyond ends of episodes."""
    seen = [environment.reset()]
    for _ in range(steps):
        seen.append(environment.step(policy(seen[-1].observation)))
    return seen


def column(steps: list[ts.TimeStep], field: str) -> np.ndarray:
    """A field of all steps."""
    return np.stack([np.asarray(getattr(step, field)) for step in steps])


@needs_envpool
@pytest.mark.parametrize(
    "name", ["CartPole-v1", "MountainCar-v0", "Pendulum-v1", "FrozenLake-v1"]
)
def test_the_specs_are_those_of_gym(name: str) -> None:
    """So an agent of the one can be used with the other."""
    ours, gyms = make(name), environments.gym_environment(name)
    assert ours.action_spec() == gyms.action_spec()
    assert ours.time_step_spec() == gyms.time_step_spec()
    assert not ours.batched
    assert ours.batch_size is None
    for environment in (ours, ours.batch(2)):
        assert environment.action_spec() == gyms.action_spec()
        assert environment.time_step_spec() == gyms.time_step_spec()


@needs_envpool
@pytest.mark.parametrize(
    "name",
    ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1", "LunarLander-v2", "Catch-v0"],
)
def test_one_environment_is_what_tf_agents_expects(name: str) -> None:
    """Its arrays fit its specs, from the first step to the last."""
    utils.validate_py_environment(make(name), episodes=2)


@needs_envpool
@pytest.mark.parametrize("count", [1, 3])
def test_a_batch_has_a_leading_dimension(count: int) -> None:
    """One environment too; dtypes are those of the specs."""
    environment = batch_of(count, seed=0)
    assert environment.batched
    assert environment.batch_size == count
    spec = environment.time_step_spec()
    for step in steps_of(environment, push_right, 30):
        for array, expected in zip(step, spec):
            assert array.shape == (count, *expected.shape)
            assert array.dtype == expected.dtype


@needs_envpool
@pytest.mark.parametrize("policy", [push_right, balance])
def test_the_same_states_follow_as_in_gym(policy: Policy) -> None:
    """Also the same rewards, discounts and ends."""
    ours, gyms = make(), environments.gym_environment("CartPole-v1")
    ours.seed(3)
    step, expected = ours.reset(), gyms.reset()
    gyms.unwrapped.state = tuple(step.observation.astype(float))
    for _ in range(40):
        action = policy(step.observation)
        step, expected = ours.step(action), gyms.step(action)
        np.testing.assert_allclose(step.observation, expected.observation, atol=1e-4)
        assert step[:3] == expected[:3]
        if step.is_last():
            break
    assert step.is_last() == (policy is push_right)


@needs_envpool
@pytest.mark.parametrize(
    ("name", "limit", "steps"),
    [
        ("CartPole-v1", None, 500),
        ("CartPole-v0", None, 200),
        ("CartPole-v1", 30, 30),
        ("CartPole-v0", 0, 600),
        ("CartPole-v1", 2**40, 600),
    ],
)
def test_time_limits_are_those_of_gym(name: str, limit: int | None, steps: int) -> None:
    """The cut-off step keeps its discount; the next begins an episode."""
    ours = steps_of(make(name, limit), balance, steps + 3)
    gyms = environments.gym_environment(name, limit and min(limit, 10_000))
    expected = steps_of(gyms, balance, steps + 3)
    for field in ("step_type", "discount", "reward"):
        np.testing.assert_array_equal(column(ours, field), column(expected, field))
    assert ours[steps].is_last() == (steps != 600)
    assert ours[steps].discount == 1.0


@needs_envpool
def test_a_pole_that_falls_at_the_time_limit_takes_the_discount() -> None:
    """EnvPool itself calls this a cut-off; gym_environment does not, nor do we."""
    free = steps_of(batch_of(1, seed=0), push_right, 20)
    fall = int(np.argmax(column(free, "step_type")[:, 0] == ts.StepType.LAST))
    assert fall > 1
    cut = steps_of(batch_of(1, seed=0, limit=fall), push_right, fall)
    assert cut[fall].is_last().all()
    assert cut[fall].discount == 0.0
    cut = steps_of(batch_of(1, seed=0, limit=fall - 1), push_right, fall - 1)
    assert cut[fall - 1].is_last().all()
    assert cut[fall - 1].discount == 1.0


def check_episodes(steps: list[ts.TimeStep], limit: int) -> np.ndarray:
    """Checks each environment's episodes; returns [falls, cut-offs] of each."""
    ended = []
    for number in range(len(steps[0].step_type)):
        count, ends = 0, [0, 0]
        for step, previous in zip(steps[1:], steps):
            first = previous.step_type[number] == ts.StepType.LAST
            count = 0 if first else count + 1
            assert (step.step_type[number] == ts.StepType.FIRST) == first
            assert step.reward[number] == (0.0 if first else 1.0)
            if first:
                assert np.abs(step.observation[number]).max() <= 0.05
            fell = not first and step.discount[number] == 0.0
            position, _, angle, _ = step.observation[number]
            # An environment is not taken for another: the cart moves by its velocity.
            moved = previous.observation[number] @ [1, 0.02, 0, 0]
            assert first or abs(position - moved) < 1e-5
            assert fell == (abs(angle) > np.pi / 15 or abs(position) > 2.4)
            last = fell or count == limit
            assert (step.step_type[number] == ts.StepType.LAST) == last
            ends[0] += fell
            ends[1] += last and not fell
        ended.append(ends)
    return np.array(ended)


@needs_envpool
@pytest.mark.parametrize("threads", [1, 3])
def test_each_environment_of_a_batch_ends_for_itself(threads: int) -> None:
    """Falls and cut-offs, at the same steps and at different ones."""

    def policy(observation: np.ndarray) -> np.ndarray:
        falls = np.array([True, False, True, False])
        return np.where(falls, push_right(observation), balance(observation))

    environment = envpool_environment.envpool_environment("CartPole-v1", 9, threads)
    environment = environment.batch(4)
    environment.seed(1)
    ended = check_episodes(steps_of(environment, policy, 300), limit=9)
    falls, cut_offs = ended.T
    assert (falls[[0, 2]] > 0).all()
    assert (cut_offs[[0, 2]] > 0).all()
    assert falls[[1, 3]].tolist() == [0, 0]
    assert cut_offs[[1, 3]].tolist() == [30, 30]


@needs_envpool
def test_environments_with_observations_of_many_parts_can_be_cut_off() -> None:
    """Those that begin anew are put between those that go on."""
    environment = make("HopperHop-v1", limit=3).batch(2)
    environment.reset()
    actions = np.zeros((2, *environment.action_spec().shape), np.float64)
    environment.step(actions)
    environment._steps[0] += 1
    seen = [environment.step(actions) for _ in range(3)]
    assert [step.step_type.tolist() for step in seen] == [[2, 1], [0, 2], [1, 0]]
    for step in seen:
        for array, spec in zip(
            step.observation.values(), environment.observation_spec().values()
        ):
            assert array.shape == (2, *spec.shape)
            assert np.isfinite(array).all()


@needs_envpool
def test_the_same_seed_gives_the_same_trajectory() -> None:
    """Beyond the first episodes, and again when seeded again."""
    environment = batch_of(3, seed=5)
    runs = [steps_of(environment, push_right, 60)]
    environment.seed(np.random.SeedSequence(5))
    runs.append(steps_of(environment, push_right, 60))
    runs.append(steps_of(batch_of(3, seed=5), push_right, 60))
    environment.seed(5)
    runs.append(steps_of(environment, push_right, 60))
    first = column(runs[0], "observation")
    for run in runs[1:]:
        np.testing.assert_array_equal(first, column(run, "observation"))


@needs_envpool
def test_each_environment_and_each_seed_has_its_own_trajectory() -> None:
    """Also without a seed, and by numbers that EnvPool would not take."""
    batches = [batch_of(3, seed=5), batch_of(3, seed=6), make().batch(3)]
    batches += [make().batch(3), batch_of(3, seed=2**70)]
    starts = np.concatenate([batch.reset().observation for batch in batches])
    assert len(np.unique(starts, axis=0)) == 15


@needs_envpool
def test_one_environment_can_be_seeded() -> None:
    """In the midst of an episode, which this ends."""
    environment, starts = make(), []
    for seed in (7, 2**32 - 1, 7):
        environment.seed(seed)
        step = environment.step(np.array(1))
        assert step.is_first()
        starts.append(step.observation)
        environment.step(np.array(1))
    np.testing.assert_array_equal(starts[0], starts[2])
    assert (starts[0] != starts[1]).any()


@needs_envpool
def test_what_was_seen_stays_as_it_was() -> None:
    """EnvPool hands out its own memory; collectors keep it for many steps."""
    environment = batch_of(4, seed=0)
    seen = steps_of(environment, push_right, 300)
    before = column(seen, "observation")
    steps_of(environment, balance, 1000)
    np.testing.assert_array_equal(before, column(seen, "observation"))


@needs_envpool
def test_a_pool_is_never_destroyed() -> None:
    """Its destructor may wait for ever (docs/design.md)."""
    batch = batch_of(2, seed=0)
    batch.reset()
    pool = batch._pool
    batch.close()
    # The name here, the argument, and the one that nobody gives back.
    assert sys.getrefcount(pool) == 3


@needs_envpool
def test_an_environment_goes_on_after_close() -> None:
    """With a new episode."""
    environment = batch_of(2, seed=0)
    steps_of(environment, push_right, 3)
    environment.close()
    assert environment.step(np.ones(2, np.int64)).is_first().all()
