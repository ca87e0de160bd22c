"""experiment/stack_frames.py: the last frames of any environment, shown together."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from tf_agents.environments import py_environment, utils, wrappers
from tf_agents.specs import array_spec

from experiment import environments
from experiment.atari_environment import atari_environment
from experiment.envpool_environment import EnvPoolBatch, envpool_environment
from experiment.errors import ConfigurationError
from experiment.gym_batch import GymBatch
from experiment.stack_frames import stack_frames
from tests.experiment.counting_game import SIZE, counting_game, stack_of
from tests.experiment.made_presets import needs_envpool

cartpole = functools.partial(environments.gym_environment, "CartPole-v1")


def wrapped_game(p_fail: float) -> py_environment.PyEnvironment:
    """One that cannot be stepped as a batch."""
    return wrappers.PyEnvironmentBaseWrapper(counting_game(p_fail))


@pytest.mark.parametrize("make", [counting_game, wrapped_game])
@pytest.mark.parametrize("p_fail", [0.0, 0.1])
@pytest.mark.parametrize("frames", [1, 2, 4])
def test_a_stack_has_the_last_frames_of_its_episode(
    frames: int, p_fail: float, make: Any
) -> None:
    """Over ends, time limits and failures, which the batch below counts."""
    below = functools.partial(make, p_fail)
    batch = environments.batched(
        functools.partial(stack_frames, below, frames), 3, np.random.SeedSequence(1)
    )
    assert batch.batch_size == 3
    step, kinds = batch.reset(), set()
    for _ in range(80):
        seen = step.observation
        assert seen["screen"].shape == (3, SIZE, SIZE, frames)
        assert seen["screen"].dtype == np.uint8
        for screen, number in zip(seen["screen"], seen["number"]):
            wanted = stack_of(int(number[0]), frames)
            assert (screen == np.array(wanted)).all()
        kinds |= set(step.step_type.tolist())
        step = batch.step(np.zeros(3, np.int64))
    assert kinds == {0, 1, 2}
    assert (batch.recovery.failures > 5) == (p_fail > 0)


def test_a_step_that_was_shown_does_not_change() -> None:
    """Others keep it."""
    batch = environments.together(functools.partial(stack_frames, counting_game), 2)
    first = batch.reset().observation["screen"]
    kept = first.copy()
    for _ in range(30):
        batch.step(np.zeros(2, np.int64))
    np.testing.assert_array_equal(first, kept)


def test_specs_are_those_of_stacks() -> None:
    """With the bounds of each frame, if there are any; other parts stay as they are."""
    spec = stack_frames(counting_game, 3).observation_spec()
    below = counting_game().observation_spec()
    assert spec["number"] == below["number"]
    assert spec["screen"].shape == (SIZE, SIZE, 3)
    assert np.all(spec["screen"].maximum == 255)
    environment = counting_game()
    unbounded = array_spec.ArraySpec((5, 4, 3), np.float32)
    environment.observation_spec = lambda: unbounded
    assert stack_frames(lambda: environment, 2).observation_spec() == (
        array_spec.ArraySpec((5, 4, 6), np.float32)
    )


def test_batches_keep_their_speed() -> None:
    """They are those of the environment itself."""
    make = functools.partial(stack_frames, counting_game)
    assert type(environments.together(make, 2).wrapped_env()) is GymBatch


@needs_envpool
def test_stacks_are_those_of_envpool() -> None:
    """Of the same games, over their ends, pixel by pixel."""
    game = functools.partial(
        atari_environment, "Breakout-v5", 25, image_size=(24, 24), frame_skip=40
    )
    seed = np.random.SeedSequence(2)
    theirs = environments.batched(functools.partial(game, frame_stack=4), 3, seed)
    single = functools.partial(game, frame_stack=1)
    ours = environments.batched(functools.partial(stack_frames, single, 4), 3, seed)
    assert type(ours.wrapped_env().wrapped_env()) is EnvPoolBatch
    steps, ends = (theirs.reset(), ours.reset()), 0
    random = np.random.default_rng(0)
    for _ in range(60):
        for one, other in zip(*steps):
            np.testing.assert_array_equal(one, other)
        ends += int(steps[0].is_last().sum())
        action = random.integers(0, 4, 3)
        steps = (theirs.step(action), ours.step(action))
    assert ends >= 6


def test_one_environment_is_what_tf_agents_expects() -> None:
    """Step by step, without a batch."""
    environment = stack_frames(counting_game, 4)
    utils.validate_py_environment(environment, episodes=3)
    environment.seed(1)
    step = environment.reset()
    for _ in range(40):
        wanted = stack_of(int(step.observation["number"][0]), 4)
        assert step.observation["screen"][0, 0].tolist() == wanted
        step = environment.step(np.array(0))


@needs_envpool
def test_only_images_can_be_stacked() -> None:
    """A vector is none."""
    for make in (cartpole, functools.partial(envpool_environment, "CartPole-v1")):
        with pytest.raises(ConfigurationError, match=r"stack_frames\.environment has"):
            stack_frames(make)


@pytest.mark.parametrize("frames", [0, -1, 2.0, True, "4", 100_000])
def test_a_stack_has_a_number_of_frames(frames: Any) -> None:
    """The gin parameter is named."""
    with pytest.raises(ConfigurationError, match=r"^stack_frames\.frames is"):
        stack_frames(counting_game, frames)


def test_the_environment_is_a_factory() -> None:
    """Not the environment itself."""
    with pytest.raises(ConfigurationError, match=r"stack_frames\.environment is"):
        stack_frames("Pong-v5")
