"""launch/in_process.py: observations of many parts, from environment to policy."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gym
import numpy as np
import pytest

from experiment.settings import Replay
from launch.in_process import InProcessRun
from reverb_server import replay_dataset, replay_layout
from tests.launch.a_run import options

BINDINGS = [
    "q_network.layers = (8,)",
    "q_network.conv_layers = ((4, 2, 1),)",
    "Replay.transitions_per_item = 1",
    "Replay.batch_size = 8",
    "Replay.min_size_to_sample = 16",
    "Collect.envs_per_actor = 4",
    "Collect.initial_collect_steps = 16",
    "Evaluation.episodes = 1",
    "Evaluation.target_return = None",
    "Train.max_train_steps = 6",
]

needs_gymnasium = pytest.mark.skipif(
    importlib.util.find_spec("gymnasium") is None,
    reason="gymnasium is not installed: pip install -e '.[gymnasium]'",
)


class Maze:
    """A dict of a vector, and a tuple of a field and a picture, for either library."""

    def __init__(self, spaces: Any) -> None:
        self.observation_space = spaces.Dict(
            {
                "speed": spaces.Box(-1, 1, (3,), np.float32),
                "rest": spaces.Tuple(
                    [spaces.Discrete(9), spaces.Box(0, 255, (4, 4, 1), np.uint8)]
                ),
            }
        )
        self.action_space = spaces.Discrete(2)
        self.metadata: dict[str, Any] = {}
        self.field = 0

    def seen(self) -> Any:
        """All parts tell the field."""
        picture = np.full((4, 4, 1), self.field, np.uint8)
        speed = np.full(3, self.field / 10, np.float32)
        return {"speed": speed, "rest": (self.field, picture)}

    def begin(self) -> Any:
        """At the first field."""
        self.field = 0
        return self.seen()

    def move(self) -> tuple[Any, float, bool]:
        """Each step leads to the next field; the eighth is the last."""
        self.field += 1
        return self.seen(), 1.0, self.field == 8


class OfGym(Maze, gym.Env):
    """As gym has it."""

    def __init__(self) -> None:
        super().__init__(gym.spaces)

    def seed(self, seed: int | None = None) -> Any:
        """Nothing is random."""

    def reset(self, **_: Any) -> Any:
        """Begins."""
        return self.begin()

    def step(self, action: Any) -> Any:
        """Moves."""
        return *self.move(), {}


@pytest.fixture
def in_gym() -> Iterator[list[str]]:
    """What binds the maze of gym."""
    gym.register("Maze-v0", entry_point=OfGym)
    yield ["gym_environment.name = 'Maze-v0'"]
    del gym.envs.registry.env_specs["Maze-v0"]


@pytest.fixture
def in_gymnasium() -> Iterator[list[str]]:
    """What binds the maze of gymnasium."""
    gymnasium: Any = importlib.import_module("gymnasium")

    class OfGymnasium(Maze, gymnasium.Env):
        """As gymnasium has it."""

        def __init__(self) -> None:
            super().__init__(gymnasium.spaces)

        def reset(self, **_: Any) -> Any:
            """Begins."""
            return self.begin(), {}

        def step(self, action: Any) -> Any:
            """Moves."""
            return *self.move(), False, {}

    gymnasium.register("Maze-v0", OfGymnasium)
    yield [
        "Experiment.environment = @gymnasium_environment",
        "gymnasium_environment.name = 'Maze-v0'",
    ]
    del gymnasium.registry["Maze-v0"]


def check_transitions(run: InProcessRun) -> None:
    """Of a batch from the table: from a field to the next, in all parts."""
    settings = Replay(transitions_per_item=1, batch_size=8)
    layout = replay_layout.replay_layout(run.trainer.agent, settings)
    dataset = replay_dataset.replay_dataset(run.server.address, layout, 8)
    experience, _ = next(iter(dataset))
    seen = experience.observation
    field, picture = seen["rest"]
    assert picture.shape[1:] == (8, 2, 4, 4, 1)
    np.testing.assert_array_equal(field[..., 1], field[..., 0] + 1)
    np.testing.assert_array_equal(picture[..., 0, 0, 0], field)
    np.testing.assert_allclose(seen["speed"][..., 2], field / 10, atol=1e-6)
    assert len(np.unique(field)) > 3


@pytest.mark.parametrize(
    "kind", ["in_gym", pytest.param("in_gymnasium", marks=needs_gymnasium)]
)
def test_parts_reach_the_network_and_the_replay_table(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """By way of the batch, the policy, the writer, the learner and the evaluation."""
    bindings = [*BINDINGS, *request.getfixturevalue(kind)]
    started_with = options(
        tmp_path, num_actors=1, gin_bindings=bindings, seed=0, in_process=True
    )
    with contextlib.closing(InProcessRun(started_with, lambda: True)) as run:
        before = [each.numpy() for each in run.trainer.agent.policy.variables()]
        while not run.is_done:
            run.take_turn()
        check_transitions(run)
        assert run.judge.judge(run.trainer.train_step).average_return == 8.0
        after = run.trainer.agent.policy.variables()
        assert all((one != two.numpy()).any() for one, two in zip(before, after))
