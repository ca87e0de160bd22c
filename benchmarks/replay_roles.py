"""The processes of `benchmarks.replay`, ours: a server, a writer or a sampler."""

from __future__ import annotations

import itertools
import json
import time

import numpy as np
import psutil
import reverb
import tensorflow as tf
from absl import flags
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import trajectory

from benchmarks.replay import TABLE_SIZE, Case
from experiment import devices, process
from experiment.errors import EXIT_FINISHED
from reverb_server import address as address_lib
from reverb_server import tables
from reverb_server.replay_dataset import replay_dataset
from reverb_server.replay_layout import ReplayLayout, Step
from reverb_server.replay_writer import ReplayWriter
from reverb_server.step_codec import StepCodec

# Environments that the writer writes for, rounds of theirs that differ (a chunk of
# equal steps would be compressed away), and transitions in a sampled batch.
_ENVS = 32
_ROUNDS = 32
_BATCH_SIZE = 64

# Items asked for in advance: those of 64 batches, as the learner does by default.
_IN_FLIGHT_ITEMS = 512

_WARM_UP_STACKS = 10

# Seconds between two reports of the server, and that it may take to answer itself.
_REPORT_S = 0.1
_ANSWER_TIMEOUT_S = 30


def steps_spec(case: Case) -> trajectory.Trajectory:
    """CartPole's steps, or steps with a frame of 84 by 84."""
    shape, dtype = ([84, 84, 1], tf.uint8) if case.frames else ([4], tf.float32)
    integer, real = tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)
    return trajectory.Trajectory(
        step_type=integer,
        observation=tensor_spec.BoundedTensorSpec(shape, dtype, 0, 255),
        action=tf.TensorSpec([], tf.int64),
        policy_info=(),
        next_step_type=integer,
        reward=real,
        discount=real,
    )


def layout_of(case: Case) -> ReplayLayout:
    """How these steps lie in items."""
    codec = StepCodec(Step(steps_spec(case), tf.TensorSpec([], tf.int64)))
    return ReplayLayout(codec, case.sequence_length, case.transitions_per_item)


def serve(case: Case, port: int) -> None:
    """Serves a replay table until the process is ended; tells what it has."""
    table = reverb.Table(
        tables.REPLAY,
        sampler=reverb.selectors.Uniform(),
        remover=reverb.selectors.Fifo(),
        max_size=TABLE_SIZE // case.transitions_per_item,
        rate_limiter=reverb.rate_limiters.MinSize(1),
        signature={"steps": layout_of(case).signature},
    )
    server = reverb.Server([table], port=port)
    client, memory = server.localhost_client(), psutil.Process().memory_info
    while True:
        info = client.server_info(timeout=_ANSWER_TIMEOUT_S)[tables.REPLAY]
        inserted = info.rate_limiter_info.insert_stats.completed
        _print(
            time=time.monotonic(),
            transitions=inserted * case.transitions_per_item,
            memory_bytes=memory().rss,
        )
        time.sleep(_REPORT_S)


def write(case: Case, port: int) -> None:
    """Writes ready-made steps of some environments until the process is ended."""
    layout = layout_of(case)
    client, _ = address_lib.connect(f"localhost:{port}", lambda: False)
    writer = ReplayWriter(client, layout, _ENVS, lambda: True)
    rounds = itertools.cycle([steps_of(case) for _ in range(_ROUNDS)])
    while True:
        writer(next(rounds))


def steps_of(case: Case) -> trajectory.Trajectory:
    """Random steps of all environments, in episodes without an end."""
    sampled = tensor_spec.sample_spec_nest(steps_spec(case), outer_dims=(_ENVS,))
    steps = tf.nest.map_structure(lambda column: column.numpy(), sampled)
    middle = np.ones(_ENVS, np.int32)
    return steps._replace(step_type=middle, next_step_type=middle)


def sample(case: Case, port: int, seconds: float) -> None:
    """Takes batches of transitions, and tells how many a second."""
    dataset = replay_dataset(
        f"localhost:{port}", layout_of(case), _BATCH_SIZE, _IN_FLIGHT_ITEMS
    )
    stacks = iter(dataset)
    for _ in range(_WARM_UP_STACKS):
        next(stacks)
    start, transitions = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        stack = next(stacks)
        transitions += int(tf.size(stack[1].policy_train_step))
    _print(transitions_per_s=transitions / (time.monotonic() - start))


def _print(**figures: float) -> None:
    print(json.dumps(figures), flush=True)


def main() -> int:
    """Does what `--role` says."""
    process.StopSignal()
    devices.use_one_cpu_thread()
    case = Case(_FRAMES.value, _SEQUENCE_LENGTH.value, _PER_ITEM.value)
    if _ROLE.value == "server":
        serve(case, _PORT.value)
    elif _ROLE.value == "writer":
        write(case, _PORT.value)
    else:
        sample(case, _PORT.value, _SECONDS.value)
    return EXIT_FINISHED


if __name__ == "__main__":
    _ROLE = flags.DEFINE_enum("role", None, ["server", "writer", "sampler"], "Which.")
    _PORT = flags.DEFINE_integer("port", 8008, "Of the server.")
    _FRAMES = flags.DEFINE_boolean("frames", False, "Whether steps have a frame.")
    _SEQUENCE_LENGTH = flags.DEFINE_integer("sequence_length", 2, "Steps in a window.")
    _PER_ITEM = flags.DEFINE_integer("transitions_per_item", 8, "Windows in an item.")
    _SECONDS = flags.DEFINE_float("seconds", 5.0, "To sample over.")
    process.run(main)
