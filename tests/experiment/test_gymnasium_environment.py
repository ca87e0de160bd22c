"""experiment/gymnasium_environment.py: against gymnasium itself."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import py_environment, utils, wrappers
from tf_agents.specs import array_spec

from experiment import environments, recovery
from experiment.errors import ConfigurationError
from experiment.gym_batch import GymBatch
from experiment.gymnasium_environment import gymnasium_environment

needs_gymnasium = pytest.mark.skipif(
    importlib.util.find_spec("gymnasium") is None,
    reason="gymnasium is not installed: pip install -e '.[gymnasium]'",
)

# How each step of the scripted environment ends: (terminated, truncated).
GOES_ON, ENDS, CUT, BOTH = (False, False), (True, False), (False, True), (True, True)


@pytest.fixture
def scripted() -> Iterator[str]:
    """The name of an environment that ends its episodes as it is told."""
    gymnasium: Any = importlib.import_module("gymnasium")
    spaces = gymnasium.spaces

    class Scripted(gymnasium.Env):
        """A dict of a vector, and a tuple of a field and a picture."""

        action_space = spaces.Box(-1, 1, (2,), np.float32)
        observation_space = spaces.Dict(
            speed=spaces.Box(-np.inf, np.inf, (3,), np.float32),
            rest=spaces.Tuple(
                [spaces.Discrete(5), spaces.Box(0, 255, (2, 2, 1), np.uint8)]
            ),
        )

        def __init__(self, ends: Any = (GOES_ON, GOES_ON), fault: int = 0) -> None:
            self._ends, self._time, self._left = ends, 0, fault

        def _seen(self) -> Any:
            picture = np.full((2, 2, 1), self._time, np.uint8)
            speed = np.full(3, self._start + self._time, np.float32)
            return {"speed": speed, "rest": (self._time, picture)}

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            super().reset(seed=seed)
            self._time, self._start = 0, self.np_random.random()
            return self._seen(), {}

        def step(self, action: Any) -> Any:
            assert self.action_space.contains(action)
            self._left -= 1
            if self._left == 0:
                raise RuntimeError("a crash in step")
            self._time += 1
            return self._seen(), 2.0, *self._ends[self._time - 1], {}

    gymnasium.register("Scripted-v0", Scripted)
    yield "Scripted-v0"
    del gymnasium.registry["Scripted-v0"]


def batch_of(
    count: int, *arguments: Any, seed: int = 0, **named: Any
) -> py_environment.PyEnvironment:
    """As actors make it."""
    factory = functools.partial(gymnasium_environment, *arguments, **named)
    return environments.batched(factory, count, np.random.SeedSequence(seed))


def raw(name: str, limit: int | None, seeds: np.ndarray) -> list[Any]:
    """What gymnasium itself makes, reset by these seeds."""
    gymnasium: Any = importlib.import_module("gymnasium")
    made = [gymnasium.make(name, max_episode_steps=limit) for _ in seeds]
    for environment, seed in zip(made, seeds):
        environment.reset(seed=int(seed))
        environment.action_space.seed(int(seed))
    return made


@needs_gymnasium
@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("CartPole-v1", None),
        ("CartPole-v1", 15),
        ("Pendulum-v1", 20),
        ("FrozenLake-v1", 30),
        ("Blackjack-v1", None),
    ],
)
def test_it_steps_as_gymnasium_does(name: str, limit: int | None) -> None:
    """Over many episodes, each ending when it does; of whatever spaces."""
    ours = batch_of(3, name, limit)
    assert type(ours) is GymBatch
    ours.seed(7)
    theirs = raw(name, limit, recovery.Recovery().seed(7, 3))
    dtype, begins, ended = ours.action_spec().dtype, [False] * 3, 0
    ours.reset()
    for _ in range(100):
        own = [np.asarray(each.action_space.sample(), dtype) for each in theirs]
        step = ours.step(np.stack(own))
        for number, (each, action) in enumerate(zip(theirs, own)):
            terminated = truncated = False
            reward = 0.0
            if begins[number]:
                seen, _ = each.reset()
            else:
                # Some take numbers only, others arrays.
                taken = action if action.ndim else int(action)
                seen, reward, terminated, truncated, _ = each.step(taken)
            kind = 0 if begins[number] else 1 + int(terminated or truncated)
            begins[number] = terminated or truncated
            assert step.step_type[number] == kind
            assert step.reward[number] == np.float32(reward)
            assert step.discount[number] == float(not terminated)
            for rows, part in zip(
                tf.nest.flatten(step.observation), tf.nest.flatten(seen)
            ):
                np.testing.assert_array_equal(rows[number], part)
            ended += begins[number]
    assert ended >= 3


@needs_gymnasium
@pytest.mark.parametrize(
    ("end", "discount"), [(ENDS, 0.0), (CUT, 1.0), (BOTH, 0.0)], ids=str
)
def test_cut_off_is_not_ended(
    scripted: str, end: tuple[bool, bool], discount: float
) -> None:
    """The discount says which; the time limit at the same step changes nothing."""
    for limit in (None, 0, 2, 3):
        batch = batch_of(2, scripted, limit, {"ends": (GOES_ON, end)})
        actions = np.zeros((2, 2), np.float32)
        steps = [batch.reset(), *(batch.step(actions) for _ in range(4))]
        assert [step.step_type.tolist()[0] for step in steps] == [0, 1, 2, 0, 1]
        assert steps[2].discount.tolist() == [discount] * 2
        assert steps[1].discount.tolist() == [1.0] * 2


@needs_gymnasium
def test_the_time_limit_keeps_the_discount(scripted: str) -> None:
    """It is ours, not gymnasium's; 0 is none."""
    arguments = {"ends": (GOES_ON,) * 50}
    step = (batch := batch_of(2, scripted, 3, arguments)).reset()
    for _ in range(3):
        step = batch.step(np.zeros((2, 2), np.float32))
    assert step.is_last().all()
    assert step.discount.tolist() == [1.0] * 2
    batch = batch_of(1, "CartPole-v1", 0)
    assert batch._limit == np.inf
    assert batch_of(1, "CartPole-v1")._limit == 500


@needs_gymnasium
@pytest.mark.parametrize("count", [1, 3])
def test_observations_of_many_parts_are_stepped_together(
    scripted: str, count: int
) -> None:
    """Each part has its leading dimension, its shape and its dtype."""
    batch = batch_of(count, scripted)
    spec = batch.observation_spec()
    assert set(spec) == {"rest", "speed"}
    assert spec["rest"][0] == array_spec.BoundedArraySpec(
        (), np.int64, 0, 4, "observation/rest/0"
    )
    largest = np.finfo(np.float32).max
    assert spec["speed"].minimum == -largest
    assert spec["speed"].maximum == largest
    batch.reset()
    seen = batch.step(np.zeros((count, 2), np.float32)).observation
    for rows, part in zip(tf.nest.flatten(seen), tf.nest.flatten(spec)):
        assert rows.shape == (count, *part.shape)
        assert rows.dtype == part.dtype
    assert seen["rest"][0].tolist() == [1] * count
    assert (seen["rest"][1] == 1).all()
    assert len(np.unique(seen["speed"])) == count


@needs_gymnasium
def test_one_that_fails_is_made_anew(scripted: str) -> None:
    """Its step is a first one, of a new seed; the others go on."""
    batch = batch_of(2, scripted, arguments={"fault": 2, "ends": (GOES_ON,) * 9})
    start = batch.reset().observation["speed"]
    actions = np.zeros((2, 2), np.float32)
    steps = [batch.step(actions) for _ in range(3)]
    assert [step.is_first().all() for step in steps] == [False, True, False]
    assert batch.recovery.failures == 2
    assert not np.isin(steps[1].observation["speed"], start).any()
    assert steps[1].observation["rest"][0].tolist() == [0, 0]


@needs_gymnasium
@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "Blackjack-v1"])
def test_one_environment_is_what_tf_agents_expects(name: str) -> None:
    """Its arrays fit its specs, from the first step to the last."""
    environment = gymnasium_environment(name)
    assert not environment.batched
    assert environment.batch_size is None
    utils.validate_py_environment(environment, episodes=2)


class Halved(wrappers.PyEnvironmentBaseWrapper):
    """A wrapper of a user's."""

    def _step(self, action: Any) -> Any:
        step = super()._step(action)
        return step._replace(reward=np.float32(step.reward / 2))


@needs_gymnasium
def test_a_wrapper_of_the_users_is_not_passed_by() -> None:
    """It wraps one environment."""
    batch = environments.batched(
        lambda: Halved(gymnasium_environment("CartPole-v1")),
        2,
        np.random.SeedSequence(0),
    )
    batch.reset()
    assert batch.step(np.ones(2, np.int64)).reward.tolist() == [0.5, 0.5]


@needs_gymnasium
def test_the_same_seed_gives_the_same_trajectory() -> None:
    """Beyond the first episodes; each environment and each seed has its own."""

    def trajectory(seed: int) -> np.ndarray:
        batch = batch_of(3, "CartPole-v1", seed=seed)
        seen = [batch.reset().observation]
        seen += [batch.step(np.ones(3, np.int64)).observation for _ in range(40)]
        return np.stack(seen)

    first, other = trajectory(5), trajectory(6)
    np.testing.assert_array_equal(first, trajectory(5))
    assert len(np.unique([*first[0], *other[0]], axis=0)) == 6


@needs_gymnasium
def test_frames_are_drawn_without_a_display(
    monkeypatch: pytest.MonkeyPatch, scripted: str
) -> None:
    """For the videos; an environment that cannot draw itself says so."""
    monkeypatch.delenv("DISPLAY", raising=False)
    batch = batch_of(2, "CartPole-v1")
    batch.reset()
    frames = batch.render()
    assert frames.shape == (2, 400, 600, 3)
    assert frames.dtype == np.uint8
    batch.close()
    one = gymnasium_environment("CartPole-v1")
    one.reset()
    assert one.render().shape == (400, 600, 3)
    one.close()
    with pytest.raises(NotImplementedError, match="cannot draw itself"):
        batch_of(1, scripted).render()


@needs_gymnasium
def test_actions_of_many_parts_are_refused(scripted: str) -> None:
    """No agent here has any."""
    gymnasium: Any = importlib.import_module("gymnasium")
    kind = gymnasium.spec(scripted).entry_point
    for space, what in (
        (gymnasium.spaces.Dict(a=kind.action_space), "it has the actions Dict"),
        (gymnasium.spaces.Text(3), "of a kind that is not supported"),
    ):
        kind.action_space = space
        with pytest.raises(ConfigurationError, match=what):
            gymnasium_environment(scripted)
