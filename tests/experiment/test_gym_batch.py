"""experiment/gym_batch.py: what TF-Agents' wrappers would have said, only sooner."""

from __future__ import annotations

import functools
from typing import Any, Callable

import gym
import numpy as np
import pytest
import tensorflow as tf
from gym.envs.classic_control.cartpole import CartPoleEnv
from tf_agents.environments import py_environment, wrappers

from experiment import environments
from experiment.environments import EnvironmentBatch
from experiment.errors import ConfigurationError
from experiment.gym_batch import GymBatch
from tests.faults import faulty_environments


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


def faulty(
    faults: Callable[[int], gym.Env], count: int = 3
) -> tuple[GymBatch, list[gym.Env]]:
    """A batch of CartPoles with faults, and all that are made for it.

    Args:
      faults: Makes the environment of this number, counted as they are made.
      count: Environments in the batch.
    """
    made: list[gym.Env] = []

    def make() -> gym.Env:
        made.append(faults(len(made)))
        return made[-1]

    spec = environments.gym_environment("CartPole-v1")
    args = spec.time_step_spec(), spec.action_spec(), None
    return GymBatch(make, count, *args), made


class Scripted(gym.Wrapper):
    """A CartPole in which something happens at a step, counted from 1."""

    def __init__(self, at: int, event: Callable[[Any], Any]) -> None:
        super().__init__(CartPoleEnv())
        self._left, self._event = at, event
        self.seeds: list[int] = []
        self.closed = False

    def seed(self, seed: Any = None) -> Any:
        """Remembers it."""
        self.seeds.append(seed)
        return self.env.seed(seed)

    def step(self, action: Any) -> Any:
        """As CartPole, but once."""
        self._left -= 1
        result = self.env.step(action)
        return self._event(result) if self._left == 0 else result

    def close(self) -> None:
        """As bad as the rest."""
        self.closed = True
        raise OSError("cannot even close")


def crash(result: Any) -> Any:
    """Raises."""
    raise RuntimeError("a crash in step")


def poison_observation(result: Any) -> Any:
    """NaN among good numbers, at the end of an episode."""
    return result[0] * [1, np.nan, 1, 1], result[1], True, result[3]


def poison_reward(result: Any) -> Any:
    """Infinite."""
    return result[0], np.inf, *result[2:]


@pytest.mark.parametrize(
    ("event", "what"),
    [
        (crash, "RuntimeError: a crash in step"),
        (poison_observation, "the observation is not finite (nan in 1 of 4 numbers)"),
        (poison_reward, "the reward is not finite (inf in 1 of 1 numbers)"),
    ],
)
def test_one_that_fails_is_made_anew_and_the_others_go_on(
    event: Callable[[Any], Any], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its step is a first one; the next ones belong to its new episode."""
    batch, made = faulty(lambda number: Scripted(3 if number == 1 else 0, event))
    quiet, _ = faulty(lambda number: Scripted(0, event))
    for each in (batch, quiet):
        each.seed(5)
        each.reset()
    actions = np.array([0, 1, 0])
    for number in range(1, 7):
        step, expected = batch.step(actions), quiet.step(actions)
        for one, other in zip(tf.nest.flatten(step), tf.nest.flatten(expected)):
            np.testing.assert_array_equal(one[[0, 2]], other[[0, 2]])
        assert step.is_first().tolist() == [False, number == 3, False]
        assert step.reward.tolist() == [1, 0 if number == 3 else 1, 1]
        assert step.discount.tolist() == [1, 1, 1]
        assert np.isfinite(step.observation).all()
    assert batch.recovery.failures == len(made) - 3 == 1
    assert made[1].closed
    assert len({seed for each in made for seed in each.seeds}) == 4
    [line] = caplog.messages
    assert line.startswith("environment 1 failed (")
    assert what in line


def test_the_time_limit_counts_from_the_new_beginning() -> None:
    """Not from that of the abandoned episode."""
    spec = environments.gym_environment("CartPole-v1")
    made: list[Scripted] = []

    def make() -> Scripted:
        made.append(Scripted(4 if not made else 0, crash))
        return made[-1]

    batch = GymBatch(make, 1, spec.time_step_spec(), spec.action_spec(), 6)
    steps = [batch.reset(), *(batch.step(np.array([n % 2])) for n in range(11))]
    kinds = [int(step.step_type[0]) for step in steps]
    assert kinds == [0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 2, 0]


def test_a_reset_that_fails_is_taken_again() -> None:
    """By another environment; one that never can is an error, by its number."""

    class NoReset(Scripted):
        def reset(self, **kwargs: Any) -> Any:
            raise OSError("no licence")

    batch, made = faulty(
        lambda number: NoReset(0, crash) if number == 2 else Scripted(0, crash)
    )
    assert batch.reset().is_first().all()
    assert len(made) == 4
    assert batch.recovery.failures == 1
    batch, _ = faulty(lambda number: NoReset(0, crash))
    with pytest.raises(
        RuntimeError, match="environment 0 failed 5 times in a row: OSError: no licence"
    ):
        batch.reset()


def test_one_that_fails_at_each_first_step_is_given_up() -> None:
    """Although its resets are good, and the others too."""
    batch, _ = faulty(lambda number: Scripted(1 if number not in {0, 1} else 0, crash))
    batch.reset()
    for number in range(4):
        batch.step(np.full(3, number % 2))
    with pytest.raises(RuntimeError, match="environment 2 failed 5 times"):
        batch.step(np.zeros(3, np.int64))


def test_what_the_user_has_to_mend_is_not_hidden() -> None:
    """Nor is the wish to end."""
    for error in (ConfigurationError("wrong"), KeyboardInterrupt()):

        def fail(result: Any, error: BaseException = error) -> Any:
            raise error

        batch, _ = faulty(functools.partial(lambda fail, _: Scripted(1, fail), fail))
        batch.reset()
        with pytest.raises(type(error)):
            batch.step(np.zeros(3, np.int64))


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("name", ["crashing", "poisonous"])
def test_faults_now_and_then_do_not_matter(name: str, quick: bool) -> None:
    """In either batch; what follows an abandoned step is an episode of its own."""
    make = {
        "crashing": faulty_environments.crashing_cartpole,
        "poisonous": faulty_environments.poisonous_cartpole,
    }[name]
    factory = functools.partial(make, 0.03, quick=quick)
    batch = environments.batched(factory, 4, np.random.SeedSequence(3))
    assert (type(batch) is GymBatch) is quick
    step, abandoned = batch.reset(), 0
    for _ in range(300):
        was_last = step.is_last()
        step = batch.step(np.random.default_rng(0).integers(0, 2, 4))
        assert np.isfinite(step.observation).all()
        assert np.isfinite(step.reward).all()
        assert step.is_first()[was_last].all()
        abandoned += int((step.is_first() & ~was_last).sum())
    assert 15 < abandoned <= batch.recovery.failures < 80
