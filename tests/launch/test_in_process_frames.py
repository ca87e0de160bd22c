"""launch/in_process.py: stacks of frames, from environment to learner and back."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tf_agents.trajectories import trajectory

from experiment.errors import ConfigurationError
from experiment.settings import Replay
from launch.in_process import InProcessRun
from reverb_server import replay_dataset, replay_layout
from tests.experiment.counting_game import stack_of
from tests.experiment.made_presets import needs_envpool
from tests.launch.a_run import options

ENVS = 3
BATCH_SIZE = 8

BINDINGS = [
    "q_network.layers = (8,)",
    "q_network.conv_layers = ((4, 2, 1),)",
    "Replay.frame_stack = 4",
    f"Replay.batch_size = {BATCH_SIZE}",
    "Replay.min_size_to_sample = 16",
    "Replay.samples_per_insert = None",  # So that the test may sample as it likes.
    f"Collect.envs_per_actor = {ENVS}",
    "Collect.initial_collect_steps = 16",
    "Evaluation.episodes = 1",
    "Evaluation.target_return = None",
    "Train.max_train_steps = 6",
    "Train.jit_compile = False",
]

GAME = [
    "import tests.experiment.counting_game",
    "Experiment.environment = @stack_frames",
    "stack_frames.environment = @counting_game",
    "counting_game.p_fail = 0.02",
]

BREAKOUT = [
    "Experiment.environment = @atari_environment",
    "atari_environment.name = 'Breakout-v5'",
    "atari_environment.max_episode_steps = 25",
    "atari_environment.image_size = (24, 24)",
    "atari_environment.frame_skip = 20",
]


def run_of(tmp_path: Path, *bindings: str) -> InProcessRun:
    """A run with these and the usual bindings."""
    given = options(
        tmp_path,
        num_actors=1,
        gin_bindings=[*BINDINGS, *bindings],
        seed=0,
        in_process=True,
    )
    return InProcessRun(given, lambda: True)


def sampled(run: InProcessRun) -> trajectory.Trajectory:
    """Some batches of transitions, as arrays [..., 2, *shape]."""
    settings = Replay(transitions_per_item=1, frame_stack=4)
    layout = replay_layout.replay_layout(run.trainer.agent, settings)
    dataset = replay_dataset.replay_dataset(run.server.address, layout, BATCH_SIZE)
    experience, _ = next(iter(dataset.batch(8)))
    return experience


def test_a_game_of_numbers_is_learned_from_as_it_was_seen(tmp_path: Path) -> None:
    """By way of the wrapper, over ends, time limits and failures."""
    with contextlib.closing(run_of(tmp_path, *GAME)) as run:
        while run.collector.env_steps < 300 or not run.is_done:
            run.take_turn()
        assert run.collector.environment_failures > 0
        seen = sampled(run).observation
        numbers = seen["number"].numpy().reshape(-1, 2).astype(int)
        stacks = seen["screen"].numpy().reshape(len(numbers), 2, 36, 4)
        assert len(np.unique(numbers)) > 30
        for pair, shown in zip(numbers, stacks):
            assert pair[1] == pair[0] + 1
            for number, stack in zip(pair, shown):
                assert (stack == np.array(stack_of(number, 4))).all()


@needs_envpool
def test_atari_is_learned_from_as_it_was_seen(tmp_path: Path) -> None:
    """Pixel by pixel: each transition that is sampled is one that EnvPool showed."""
    with contextlib.closing(run_of(tmp_path, *BREAKOUT)) as run:
        seen: set[tuple[Any, ...]] = set()
        rounds: list[trajectory.Trajectory] = []

        def watch(steps: trajectory.Trajectory) -> None:
            rounds.append(steps)
            if len(rounds) > 1:
                seen.update(pairs_of(*rounds[-2:]))

        run.collector._checks.append(watch)
        while run.collector.env_steps < 200 or not run.is_done:
            run.take_turn()
        ends = sum(int(steps.is_last().sum()) for steps in rounds)
        assert ends >= 6
        steps = sampled(run)
        pictures = steps.observation.numpy().reshape(-1, 2, 24, 24, 4)
        actions = steps.action.numpy().reshape(-1, 2)
        found = {
            (one.tobytes(), action, other.tobytes())
            for (one, other), (action, _) in zip(pictures, actions)
        }
    assert len(found) > 40
    assert found <= seen


def pairs_of(
    now: trajectory.Trajectory, then: trajectory.Trajectory
) -> set[tuple[Any, ...]]:
    """What each environment showed, what it was told, and what it showed then."""
    return {
        (one.tobytes(), action, other.tobytes())
        for one, action, other in zip(now.observation, now.action, then.observation)
    }


def test_what_is_no_stack_is_refused_in_the_first_rounds(tmp_path: Path) -> None:
    """Before anything is learned from it."""
    bindings = [*GAME, "stack_frames.frames = 8"]
    with contextlib.closing(run_of(tmp_path, *bindings)) as run:
        with pytest.raises(
            ConfigurationError, match=r"^Replay\.frame_stack is 4, but the obs"
        ):
            run.collector.run(max_steps=16)
        assert run.collector.transitions < 4 * ENVS
