"""reverb_server/peek.py: the words it has for tables and steps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import reverb
import tensorflow as tf
from tf_agents.trajectories import trajectory

from reverb_server import peek
from reverb_server.replay_layout import ReplayLayout, Step
from reverb_server.step_codec import StepCodec
from tests.reverb_server.conftest import Serve, Served
from tests.reverb_server.waiting import wait_until

SHORT_MS = 200


def insert(served: Served) -> bool:
    """Whether another insert goes through in time."""
    writer = served.client.trajectory_writer(1)
    writer.append([np.int64(0)])
    writer.create_item("some", 1.0, writer.history[0][-1])
    try:
        writer.flush(timeout_ms=SHORT_MS)
    except reverb.DeadlineExceededError:
        return False
    return True


def limited(serve: Serve, inserts: int, samples: int) -> Served:
    """A table with a ratio of 2, and 4 before or behind, after so many calls."""
    table = reverb.Table(
        "some",
        sampler=reverb.selectors.Fifo(),
        remover=reverb.selectors.Fifo(),
        max_size=1_000,
        rate_limiter=reverb.rate_limiters.SampleToInsertRatio(2.0, 2, 4.0),
        signature=tf.TensorSpec([], tf.int64),
    )
    served = serve([table])
    for _ in range(inserts):
        assert insert(served)
    for _ in range(samples):
        next(served.client.sample("some", 1, emit_timesteps=False))
    wait_until(
        lambda: served.info("some").rate_limiter_info.sample_stats.completed == samples
    )
    return served


def can_sample(served: Served) -> bool:
    """Whether another sample comes now."""
    dataset = reverb.TrajectoryDataset.from_table_signature(
        served.address,
        "some",
        max_in_flight_samples_per_worker=1,
        num_workers_per_iterator=1,
        rate_limiter_timeout_ms=SHORT_MS,
        max_samples=1,
    )
    return bool(list(dataset))


@pytest.mark.parametrize(
    ("inserts", "samples", "expected"),
    [
        (0, 0, "samples wait until it is filled to 2"),
        (1, 0, "samples wait until it is filled to 2"),
        (2, 0, "nobody waits"),
        (2, 3, "nobody waits"),
        (2, 4, "samples wait for inserts, at 2 samples per insert"),
        (3, 0, "nobody waits"),
        (4, 0, "inserts wait for samples, at 2 samples per insert"),
        (4, 1, "inserts wait for samples, at 2 samples per insert"),
        (4, 2, "nobody waits"),
    ],
)
def test_who_is_said_to_wait_does_wait(
    serve: Serve, inserts: int, samples: int, expected: str
) -> None:
    """By Reverb's own doing."""
    served = limited(serve, inserts, samples)
    assert peek.table_line(served.info("some")) == (
        f"table some: {inserts} of at most 1,000 items, {inserts} inserted, "
        f"{samples} sampled; {expected}"
    )
    assert can_sample(served) == (not expected.startswith("samples wait"))
    assert insert(limited(serve, inserts, samples)) == (
        not expected.startswith("inserts wait")
    )


def test_big_and_nested_observations_fit_on_a_line() -> None:
    """As NumPy shortens them, with what they are."""
    image = np.zeros((84, 84, 4), np.uint8)
    text = peek.text_of(image)
    assert text.startswith("uint8 [84, 84, 4] [[[0 0 0 0] [0 0 0 0] ... [0 0 0 0]")
    assert len(text) < 300
    nest = {"a": np.float32(0.1), "b": (np.array([1, 2]),)}
    assert peek.text_of(nest) == "{'a': 0.1, 'b': (array([1, 2]),)}"


def test_policy_info_and_longer_windows_are_printed() -> None:
    """Whatever an agent stores."""
    number, pair = tf.TensorSpec([], tf.float32), tf.TensorSpec([2], tf.float32)
    kind = tf.TensorSpec([], tf.int32)
    content = trajectory.Trajectory(
        step_type=kind,
        observation=pair,
        action=pair,
        policy_info={"log_probability": number},
        next_step_type=kind,
        reward=number,
        discount=number,
    )
    spec = Step(content, tf.TensorSpec([], tf.int64))
    layout = ReplayLayout(StepCodec(spec), sequence_length=3, windows_per_item=2)
    steps = tf.nest.map_structure(
        lambda column: np.ones((6, *column.shape), column.dtype.as_numpy_dtype), spec
    )
    step = [
        "    MID to MID; action [1. 1.]; reward 1.0; discount 1.0; policy of 1; "
        "policy info {'log_probability': 1.0}",
        "      observation [1. 1.]",
    ]
    rows = layout.codec.pack(steps)
    assert list(peek._item_lines(layout, rows)) == [
        "  transition 1",
        *step * 3,
        "  transition 2",
        *step * 3,
    ]
    stacked = dataclasses.replace(layout, sequence_length=2, frames=2)
    first, *rest = peek._item_lines(stacked, rows)
    assert first == "  transition 1, after frames that it shows too: 1"
    assert rest == [*step * 3, first.replace("1,", "2,", 1), *step * 3]
