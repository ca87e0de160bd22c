"""experiment/envpool_environment.py: families of EnvPool beside classic control."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import utils
from tf_agents.specs import array_spec, tensor_spec
from tf_agents.trajectories import time_step as ts

from experiment import environments, networks
from experiment.envpool_environment import EnvPoolBatch, envpool_environment
from tests.experiment.made_presets import needs_envpool

pytestmark = needs_envpool

# Of each family, with the shape of its observation.
FAMILIES = {
    "Pong-v5": (84, 84, 4),
    "BipedalWalker-v3": (24,),
    "CarRacing-v2": (96, 96, 3),
    "LunarLanderContinuous-v2": (8,),
    "Ant-v4": (27,),
    "CheetahRun-v1": {"position": (8,), "velocity": (9,)},
    "WalkerWalk-v1": {"orientations": (14,), "height": (), "velocity": (9,)},
    "BigfishEasy-v0": (64, 64, 3),
}


def batch_of(name: str, count: int, limit: int | None) -> EnvPoolBatch:
    """Of this seed."""
    made = envpool_environment(name, limit).batch(count)
    assert isinstance(made, EnvPoolBatch)
    made.seed(np.random.SeedSequence(1))
    return made


def standing_still(batch: EnvPoolBatch) -> np.ndarray:
    """Actions of 0."""
    spec = batch.action_spec()
    return np.zeros((batch.batch_size, *spec.shape), spec.dtype)


def play(batch: EnvPoolBatch, steps: int) -> list[ts.TimeStep]:
    """Up to the end of the first environment's episode, or so many steps."""
    seen = [batch.reset()]
    for _ in range(steps):
        seen.append(batch.step(standing_still(batch)))
        if seen[-1].is_last()[0]:
            break
    return seen


@pytest.mark.parametrize("name", list(FAMILIES))
def test_each_family_is_made_and_stepped(name: str) -> None:
    """What comes fits its specs, over some episodes; images have channels last."""
    environment = envpool_environment(name, 5)
    utils.validate_py_environment(environment, episodes=2)
    spec = environment.observation_spec()
    shapes = tf.nest.map_structure(lambda part: part.shape, spec)
    assert (dict(shapes) if isinstance(spec, dict) else shapes) == FAMILIES[name]
    action = environment.action_spec()
    assert np.all(np.isfinite([action.minimum, action.maximum]))
    assert action.dtype in (np.float32, np.int32, np.int64)  # What agents can choose.


@pytest.mark.parametrize("name", list(FAMILIES))
def test_a_time_limit_is_no_end_in_any_family(name: str) -> None:
    """Although EnvPool's dm interface calls it one in all but DeepMind Control."""
    seen = play(batch_of(name, 2, 4), 10)
    assert [step.step_type.tolist() for step in seen] == [
        [0, 0],
        *[[1, 1]] * 3,
        [2, 2],
    ]
    assert all((step.discount == 1).all() for step in seen)


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("LunarLander-v2", True),
        ("Hopper-v4", True),
        ("CheetahRun-v1", False),
        ("HalfCheetah-v4", False),
    ],
)
def test_an_end_is_told_from_the_registered_limit(name: str, ends: bool) -> None:
    """Lander and hopper fall; cheetahs run for as long as they may."""
    seen = play(batch_of(name, 1, None), 2_000)
    assert seen[-1].is_last().all()
    assert (len(seen) < 1_001) == ends
    assert seen[-1].discount.tolist() == [0.0 if ends else 1.0]


@pytest.mark.parametrize("name", ["Pong-v5", "BigfishEasy-v0"])
def test_an_image_is_not_mixed_up_when_its_channels_move(name: str) -> None:
    """It is EnvPool's own, pixel by pixel, also where an episode is cut off."""
    batch = batch_of(name, 2, 3)
    raw = batch._task.make_pool(2, batch._seed)
    expected = [raw.reset()[0]]
    expected += [raw.step(standing_still(batch))[0] for _ in range(3)]
    seen = [batch.reset(), *(batch.step(standing_still(batch)) for _ in range(4))]
    assert seen[4].is_first().all()
    for step, image in zip(seen, expected):
        for channel in range(image.shape[1]):
            np.testing.assert_array_equal(
                step.observation[..., channel], image[:, channel]
            )
    # The frames of a new episode, or its colours, are those of a picture too.
    assert seen[4].observation.shape == seen[0].observation.shape
    assert seen[4].observation.dtype == np.uint8


@pytest.mark.parametrize(
    ("name", "conv_layers"),
    [("Pong-v5", ((4, 8, 8),)), ("CheetahRun-v1", ()), ("LunarLander-v2", ())],
)
def test_a_network_takes_what_is_seen(name: str, conv_layers: Any) -> None:
    """Images, dicts of float64, and vectors."""
    factory: Any = lambda: envpool_environment(name, 5)  # noqa: E731
    batch = environments.batched(factory, 2, np.random.SeedSequence(0))
    network = networks.q_network(
        tensor_spec.from_spec(batch.observation_spec()),
        tensor_spec.from_spec(array_spec.BoundedArraySpec((), np.int64, 0, 2)),
        (8,),
        conv_layers,
    )
    values, _ = network(batch.reset().observation)
    assert values.shape == (2, 3)
    assert np.isfinite(values.numpy()).all()
