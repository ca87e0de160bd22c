"""What a learner samples from several replay servers."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from learner import builder, learning_agent
from replay_shard.server import ShardServer
from reverb_server import figures, sharded_writer, tables
from reverb_server.replay_layout import replay_layout
from reverb_server.server import RunServer
from tests.replay_shard.sharded_run import ShardedRun
from tests.reverb_server.episodes import batches, experience
from tests.reverb_server.waiting import wait_until

# Three environments on two servers: the first has two of them.
ENVS = 3
RATIO = 4.0


_SETTINGS = f"""
Replay.samples_per_insert = {RATIO}
Train.steps_per_call = 1
Train.jit_compile = False
"""


def test_each_server_is_sampled_in_proportion_to_what_is_written_there(
    tmp_path: Path,
) -> None:
    """Its limiter holds the ratio of samples to inserts there, so in the whole."""
    with contextlib.ExitStack() as stack:
        run = ShardedRun(tmp_path, stack, bindings=_SETTINGS)
        stack.callback(run.close)
        servers: list[RunServer | ShardServer] = [run.first, run.serve_shard()]
        actor, learner = run.join(figures.ACTOR), run.join(figures.LEARNER)
        strategy = tf.distribute.get_strategy()
        environment = run.experiment.environment()
        learning = learning_agent.make(run.experiment, environment, strategy)
        layout = replay_layout(learning.agent, run.experiment.replay)
        writer = sharded_writer.writer(actor, layout, ENVS, 0, None)

        collecting = threading.Thread(target=_collect, args=(writer,))
        collecting.start()
        trainer = builder.build_trainer(
            run.experiment,
            learning,
            run.first.address,
            tmp_path,
            learner.store_replay,
            learner.shards,
        )
        stack.callback(trainer.close)

        def has_trained() -> bool:
            trainer.run(steps=1)
            return not collecting.is_alive()

        wait_until(has_trained)
        counts = [
            each.client.server_info(timeout=10)[tables.REPLAY] for each in servers
        ]
    inserted = [each.rate_limiter_info.insert_stats.completed for each in counts]
    sampled = [each.rate_limiter_info.sample_stats.completed for each in counts]
    assert 1.9 < inserted[0] / inserted[1] < 2.1
    for written, taken in zip(inserted, sampled):
        assert taken / written == pytest.approx(RATIO, rel=0.2)


def _collect(writer: Any) -> None:
    """Writes what the environments do; waits where a limiter says so."""
    for steps in batches(experience([[8] * 50] * ENVS)):
        writer(steps)
