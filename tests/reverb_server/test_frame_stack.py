"""reverb_server/frame_stack.py: frames are stored once, and stacked again as before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import reverb
import tensorflow as tf
from tf_agents.specs import array_spec
from tf_agents.trajectories import trajectory

from experiment.errors import ConfigurationError
from experiment.settings import Replay
from reverb_server import frame_stack
from reverb_server.replay_dataset import replay_dataset, window_dataset
from reverb_server.replay_layout import ReplayLayout, replay_layout, require_signature
from reverb_server.replay_writer import ReplayWriter
from tests.reverb_server.conftest import Serve
from tests.reverb_server.episodes import Row, batches, experience, queue, windows
from tests.reverb_server.test_replay_writer import FAILURES, LENGTHS, TIME_LIMITS

FIRST, MID, LAST = (int(kind) for kind in (0, 1, 2))

# Height, width and channels of a frame; all its numbers tell whose frame it is.
FRAME = (2, 3, 2)


class Agent:
    """What an agent says of its data."""

    train_sequence_length: int | None = 2

    def __init__(self, observation: Any) -> None:
        scalar = array_spec.ArraySpec((), np.int32)
        real = array_spec.ArraySpec((), np.float32)
        self.collect_data_spec = trajectory.Trajectory(
            scalar,
            observation,
            array_spec.ArraySpec((), np.int64),
            (),
            scalar,
            real,
            real,
        )


def image(channels: int) -> array_spec.ArraySpec:
    """The spec of a stack."""
    return array_spec.ArraySpec((*FRAME[:2], channels), np.int16)


def layout_of(
    frames: int, length: int = 2, spans: bool = False, stride: int = 1
) -> ReplayLayout:
    """Of stacks beside a vector."""
    spec = {
        "screen": image(frames * FRAME[2]),
        "speed": array_spec.ArraySpec((4,), np.float32),
    }
    settings = Replay(frame_stack=frames, transitions_per_item=1, batch_size=1)
    codec = replay_layout(Agent(spec), settings).codec
    return ReplayLayout(codec, length, 1, stride, spans, frames=frames)


def stack_of(row: Row, frames: int) -> np.ndarray:
    """What the environment shows at a step, told by hand: times within the episode."""
    env, episode, time, _ = row.observation
    shown = [
        np.full(FRAME, 10_000 * env + 100 * episode + max(0, time - age), np.int16)
        for age in range(frames - 1, -1, -1)
    ]
    return np.concatenate(shown, axis=-1)


def stacked(
    rounds: Sequence[Sequence[Row]], frames: int
) -> list[trajectory.Trajectory]:
    """What a driver hands over if these rows are seen as stacks."""
    return [
        steps.replace(
            observation={
                "screen": np.stack([stack_of(row, frames) for row in rows]),
                "speed": steps.observation,
            }
        )
        for rows, steps in zip(rounds, batches(rounds))
    ]


@pytest.mark.parametrize("lengths", [LENGTHS, FAILURES, TIME_LIMITS])
@pytest.mark.parametrize(
    ("frames", "length", "stride", "spans"),
    [(4, 2, 1, False), (2, 4, 1, False), (3, 5, 2, True), (4, 6, 5, True)],
)
def test_the_learner_sees_what_the_environment_showed(
    serve: Serve,
    lengths: list[list[int]],
    frames: int,
    length: int,
    stride: int,
    spans: bool,
) -> None:
    """Every window, over ends, time limits and failures, from the first step on."""
    layout = layout_of(frames, length, spans, stride)
    served = serve([queue(layout)])
    # Then more than is read: a sampler that waits for items could not be ended.
    more = [[*own, 99, 99] for own in lengths[:3]]
    rounds = experience(more)
    writer = ReplayWriter(served.client, layout, 3, lambda: True)
    for steps in stacked(rounds, frames):
        writer(steps)
    expected = windows(rounds, length, stride, spans)
    assert writer.transitions == len(expected) * stride
    read = [
        tf.nest.map_structure(lambda part: part.numpy(), steps)
        for steps, _ in replay_dataset(served.address, layout, 5).unbatch().take(12)
    ]
    for number, rows in enumerate(expected[:60]):
        found = tf.nest.map_structure(
            lambda part, row=number % 5: part[row], read[number // 5]
        )
        wanted = np.stack([stack_of(row, frames) for row in rows])
        np.testing.assert_array_equal(found.observation["screen"], wanted)
        for field in ("step_type", "action", "reward", "discount", "next_step_type"):
            assert getattr(found, field).tolist() == [getattr(r, field) for r in rows]
        speeds = [list(row.observation) for row in rows]
        assert found.observation["speed"].tolist() == speeds


def test_a_frame_is_stored_once(serve: Serve) -> None:
    """So a step of Atari takes a fourth of the bytes, and a table of them too."""
    spec = array_spec.ArraySpec((84, 84, 4), np.uint8)
    settings = Replay(transitions_per_item=1, frame_stack=4)
    layout = replay_layout(Agent(spec), settings)
    whole = replay_layout(Agent(spec), Replay(transitions_per_item=1))
    rest = 4 * 4 + 2 * 8  # Four numbers; the action, the policy's train step.
    assert whole.codec.step_bytes == 28_224 + rest
    assert layout.codec.step_bytes == 7_056 + rest
    table = reverb.Table.queue("x", 1_000, signature={"steps": layout.signature})
    assert serve([table]).info("x").signature["steps"].shape == [5, 7_056 + rest]


def test_the_version_of_the_weights_is_that_of_the_first_step_of_the_window(
    serve: Serve,
) -> None:
    """Not that of a step which is only looked back at."""
    layout = layout_of(frames=3)
    served = serve([queue(layout)])
    writer = ReplayWriter(served.client, layout, 1, lambda: True)
    for number, steps in enumerate(stacked(experience([[99]]), 3)):
        writer.policy_train_step = number
        writer(steps)
    _, info = next(iter(replay_dataset(served.address, layout, 8)))
    assert info.policy_train_step.numpy().ravel().tolist() == list(range(32))


def test_windows_of_on_policy_agents_have_stacks_too(serve: Serve) -> None:
    """One at a time."""
    layout = layout_of(frames=3, length=4, spans=True, stride=3)
    served = serve([queue(layout)])
    rounds = experience([[5, -3, 102, 99]])
    writer = ReplayWriter(served.client, layout, 1, lambda: True)
    for steps in stacked(rounds, 3):
        writer(steps)
    expected = windows(rounds, 4, stride=3, spans=True)
    dataset = window_dataset(served.address, layout, in_flight_items=2)
    for rows, (steps, versions) in zip(expected, dataset.take(8)):
        assert versions.shape == [1, 4]
        wanted = np.stack([stack_of(row, 3) for row in rows])
        np.testing.assert_array_equal(steps.observation["screen"][0], wanted)
        assert steps.action[0].numpy().tolist() == [row.action for row in rows]


@pytest.mark.parametrize("frames", [2, 4])
def test_shapes_are_known_before_the_first_batch(serve: Serve, frames: int) -> None:
    """XLA has to know them."""
    layout = layout_of(frames, length=3)
    served = serve([queue(layout)])
    steps, _ = replay_dataset(served.address, layout, 6).element_spec
    channels = frames * FRAME[2]
    assert steps.observation["screen"].shape == [4, 6, 3, *FRAME[:2], channels]
    assert steps.observation["speed"].shape == [4, 6, 3, 4]
    assert steps.reward.shape == [4, 6, 3]


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_frames_from_before_the_episode_are_its_first(frames: int) -> None:
    """By hand: frames are counted, and the oldest comes first."""
    kinds = tf.constant([[MID, MID, LAST, FIRST, MID, MID, MID], [FIRST] + [MID] * 6])
    single = tf.reshape(tf.range(14), [2, 7, 1, 1, 1])
    stacks = frame_stack.restack(single, kinds, frames).numpy()[:, :, 0, 0]
    begins = [[0, 0, 0, 3, 3, 3, 3], [0] * 7]
    for env, begin in enumerate(begins):
        for time in range(frames - 1, 7):
            ages = range(frames - 1, -1, -1)
            wanted = [7 * env + max(time - age, begin[time]) for age in ages]
            assert stacks[env, time - frames + 1].tolist() == wanted


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        (array_spec.ArraySpec((4,), np.float32), "no part of the observation is"),
        ((image(6), array_spec.ArraySpec((), np.int64), image(8)), "has 6 channels"),
    ],
)
def test_what_cannot_be_stacks_is_refused(spec: Any, what: str) -> None:
    """One line, with what to set."""
    settings = Replay(frame_stack=4, transitions_per_item=1)
    with pytest.raises(
        ConfigurationError, match=r"^Replay\.frame_stack is 4, but"
    ) as raised:
        replay_layout(Agent(spec), settings)
    assert what in str(raised.value)
    assert "to 1." in str(raised.value)


def test_a_table_of_other_stacks_is_refused() -> None:
    """Also if the size is the same: five frames, of a sequence or of a transition."""
    transition, sequence = layout_of(4), layout_of(1, length=5)
    assert transition.codec.step_bytes == sequence.codec.step_bytes
    assert transition.signature.shape == sequence.signature.shape
    with pytest.raises(ConfigurationError) as raised:
        require_signature(sequence, {"steps": transition.signature})
    assert "there windows:1x2, stacks:4; here windows:1x5" in str(raised.value)


def looked_at(
    rounds: Sequence[trajectory.Trajectory], frames: int
) -> ConfigurationError | None:
    """What an actor says of these rounds."""
    check = frame_stack.StackCheck(frames)
    try:
        for steps in rounds:
            check(steps)
    except ConfigurationError as error:
        return error
    return None


@pytest.mark.parametrize("lengths", [LENGTHS, FAILURES, TIME_LIMITS])
def test_true_stacks_are_taken(lengths: list[list[int]]) -> None:
    """Over ends and failures."""
    assert looked_at(stacked(experience(lengths[:3]), 4), 4) is None


@pytest.mark.parametrize(("shown", "told"), [(4, 2), (2, 4), (1, 2), (6, 3)])
def test_other_stacks_than_said_are_refused(shown: int, told: int) -> None:
    """They would come out of the table as other ones."""
    refused = looked_at(stacked(experience([[3, 9], [9, 9]]), shown), told)
    assert f"Replay.frame_stack is {told}, but the observations are no" in str(refused)


def test_stacks_that_go_on_over_the_end_of_an_episode_are_refused() -> None:
    """Or begin with zeros: the learner would see the first frame several times."""
    *rounds, wrong = stacked(experience([[1, 9]])[:3], 4)
    wrong.observation["screen"][..., 0] = 0
    refused = looked_at([*rounds, wrong], 4)
    assert "an episode begins with several frames" in str(refused)
    assert looked_at(rounds, 4) is None


def test_stacks_are_compared_in_the_first_rounds_only() -> None:
    """It costs time."""
    rounds = stacked(experience([[99] * 4]), 2)
    later = rounds[250:260]
    later[5].observation["screen"][:] = 0
    assert looked_at([*rounds[:250], *later], 2) is None
    assert "goes on with other older frames" in str(looked_at(later, 2))
