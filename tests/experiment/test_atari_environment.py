"""experiment/atari_environment.py: each setting does what it says."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from tf_agents.trajectories import time_step as ts

from experiment.atari_environment import atari_environment
from experiment.errors import ConfigurationError
from tests.experiment.made_presets import needs_envpool


def play(steps: int, name: str = "Breakout-v5", **settings: Any) -> list[ts.TimeStep]:
    """Steps of one game, with a fixed course of actions."""
    environment = atari_environment(name, **settings)
    environment.seed(3)
    random = np.random.default_rng(0)
    actions = int(environment.action_spec().maximum) + 1
    seen = [environment.reset()]
    seen += [
        environment.step(np.asarray(random.integers(actions))) for _ in range(steps)
    ]
    return seen


def column(steps: list[ts.TimeStep], field: str) -> np.ndarray:
    """A field of all steps."""
    return np.stack([getattr(step, field) for step in steps])


@needs_envpool
@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({}, (84, 84, 4)),
        ({"frame_stack": 1}, (84, 84, 1)),
        ({"grey": False, "frame_stack": 2}, (84, 84, 6)),
        ({"image_size": (64, 48)}, (64, 48, 4)),
    ],
)
def test_images_are_as_asked_for(settings: Any, shape: tuple[int, ...]) -> None:
    """Height, width, channels; and the games have something to see."""
    environment = atari_environment("Breakout-v5", **settings)
    assert environment.observation_spec().shape == shape
    seen = environment.reset().observation
    assert seen.shape == shape
    assert seen.dtype == np.uint8
    assert len(np.unique(seen)) > 3


@needs_envpool
def test_a_stack_is_of_the_last_frames() -> None:
    """The newest comes last; it is what a stack of one has."""
    single = column(play(8, frame_stack=1), "observation")[..., 0]
    stacked = column(play(8), "observation")
    for time in range(4, 9):
        for age in range(4):
            np.testing.assert_array_equal(
                stacked[time, ..., 3 - age], single[time - age]
            )


@needs_envpool
def test_a_lost_life_is_terminal_if_asked_for() -> None:
    """The episode goes on, so its return is that of a game."""
    whole = play(700)
    lives = play(700, life_loss_is_terminal=True)
    for field in ("step_type", "reward", "observation"):
        np.testing.assert_array_equal(column(whole, field), column(lives, field))
    last = column(whole, "step_type") == ts.StepType.LAST
    assert last.sum() >= 2
    np.testing.assert_array_equal(column(whole, "discount") == 0, last)
    # A game of Breakout has five lives.
    first_game = column(lives, "discount")[: int(np.argmax(last)) + 1]
    assert int((first_game == 0).sum()) == 5
    assert first_game[-1] == 0


@needs_envpool
def test_the_time_limit_counts_steps_of_the_agent() -> None:
    """And is no end; nor is the loss of a life one of the next game."""
    steps = play(30, max_episode_steps=7, life_loss_is_terminal=True)
    kinds = column(steps, "step_type").tolist()
    assert kinds[:10] == [0, 1, 1, 1, 1, 1, 1, 2, 0, 1]
    assert (column(steps, "discount") == 1).all()
    assert atari_environment("Pong-v5")._task.limit == 27_000


@needs_envpool
def test_frames_actions_and_starts_are_as_asked_for() -> None:
    """Each setting changes the game."""
    usual = column(play(40), "observation")
    for parameter, value in (
        ("frame_skip", 1),
        ("sticky_actions", 0.9),
        ("fire_starts", False),
    ):
        settings: Any = {parameter: value}
        other = column(play(40, **settings), "observation")
        assert (usual != other).any(), parameter
    assert atari_environment("Pong-v5").action_spec().maximum == 5
    everything = atari_environment("Pong-v5", full_action_space=True)
    assert everything.action_spec().maximum == 17


@needs_envpool
def test_starts_differ_by_actions_that_do_nothing() -> None:
    """Unless there is one at most."""

    def starts(most: int) -> int:
        environment = atari_environment("MsPacman-v5", max_noop_starts=most)
        batch = environment.batch(16)
        batch.seed(0)
        return len(np.unique(batch.reset().observation, axis=0))

    assert starts(1) == 1
    assert starts(30) > 3


@needs_envpool
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("CartPole-v1", "which has no option"),
        ("Pong-v4", "did you mean Pong-v5"),
    ],
)
def test_what_is_no_game_is_refused(name: str, what: str) -> None:
    """By the name of the parameter."""
    with pytest.raises(ConfigurationError, match=rf"atari_environment\.name.*{what}"):
        atari_environment(name)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("name", None),
        ("max_episode_steps", -1),
        ("num_threads", 0),
        ("frame_skip", 0),
        ("frame_skip", 2.0),
        ("frame_stack", 0),
        ("frame_stack", 2_000),
        ("image_size", 84),
        ("image_size", (84,)),
        ("image_size", (84, 0)),
        ("grey", 1),
        ("sticky_actions", 1.5),
        ("sticky_actions", "0.25"),
        ("max_noop_starts", 0),
        ("fire_starts", None),
        ("full_action_space", "yes"),
        ("life_loss_is_terminal", 1),
    ],
)
def test_a_wrong_setting_is_refused(parameter: str, value: Any) -> None:
    """By its name: EnvPool itself would crash."""
    settings = {"name": "Pong-v5", parameter: value}
    with pytest.raises(
        ConfigurationError, match=rf"^atari_environment\.{parameter} is"
    ):
        atari_environment(**settings)


def test_without_envpool_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the name of the factory."""
    monkeypatch.setitem(sys.modules, "envpool", None)
    with pytest.raises(ConfigurationError, match=r"^atari_environment needs EnvPool"):
        atari_environment("Pong-v5")
