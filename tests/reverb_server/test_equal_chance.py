"""The replay table: each transition that it keeps is as likely as any other."""

from __future__ import annotations

import collections

import numpy as np
import pytest
import tensorflow as tf

from experiment.definition import Experiment
from experiment.settings import Collect, Replay
from reverb_server import tables
from reverb_server.rate_limiter import STACK
from reverb_server.replay_dataset import replay_dataset
from reverb_server.replay_layout import replay_layout
from reverb_server.replay_writer import ReplayWriter
from tests.reverb_server.conftest import Built, Serve
from tests.reverb_server.episodes import batches, experience, windows
from tests.reverb_server.waiting import wait_until

ENVS, LENGTH = 4, 24
KEPT = 64  # Of the 96 transitions that are written.
BATCH_SIZE, STACKS = 1_024, 5
SAMPLED = STACK * BATCH_SIZE * STACKS

# A table that is fair fails the test this often.
FALSE_ALARM = 1e-6


def p_value(counts: np.ndarray) -> float:
    """Of Pearson's chi-square test that all are equally likely.

    The upper tail of the distribution with k degrees of freedom is the regularised
    incomplete gamma function Q(k / 2, x / 2) (Abramowitz and Stegun, 26.4.19).
    """
    expected = counts.mean()
    statistic = np.sum((counts - expected) ** 2) / expected
    return float(tf.math.igammac((len(counts) - 1) / 2, statistic / 2))


def test_the_p_values_are_those_of_the_tables() -> None:
    """Known points for 1 and 2 degrees of freedom; and small faults are found."""
    for point, expected in ((3.841459, 0.05), (6.634897, 0.01)):
        apart = np.sqrt(point * 25)  # Two counts of mean 50 with this statistic.
        counts = np.array([50 + apart, 50 - apart])
        assert p_value(counts) == pytest.approx(expected, rel=1e-5)
    # With 2 degrees, exp(-statistic / 2); here the statistic is 2.
    assert p_value(np.array([90.0, 100.0, 110.0])) == pytest.approx(np.exp(-1))
    assert p_value(np.repeat([288.0, 352.0], 32)) < FALSE_ALARM  # 10 % off.


@pytest.mark.parametrize("per_item", [1, 8])
def test_each_transition_is_equally_likely(
    serve: Serve, cartpole: Built, per_item: int
) -> None:
    """Those that had to go never come."""
    replay = Replay(
        max_size=KEPT,
        min_size_to_sample=KEPT,
        samples_per_insert=None,
        batch_size=BATCH_SIZE,
        transitions_per_item=per_item,
    )
    settings = Experiment(replay=replay, collect=Collect(initial_collect_steps=0))
    served = serve(tables.make_tables(settings, *cartpole, 1, "r/1"))
    layout = replay_layout(cartpole.agent, replay)
    writer = ReplayWriter(served.client, layout, ENVS, lambda: True)
    rounds = experience([[LENGTH]] * ENVS)
    for steps in batches(rounds):
        writer(steps)
    items = ENVS * LENGTH // per_item
    wait_until(
        lambda: (
            served.info(tables.REPLAY).rate_limiter_info.insert_stats.completed == items
        )
    )
    counted: collections.Counter[tuple[int, ...]] = collections.Counter()
    dataset = replay_dataset(served.address, layout, BATCH_SIZE)
    for steps, _ in dataset.take(STACKS):
        first = np.reshape(steps.observation[..., 0, :].numpy(), [-1, 4])
        counted.update(map(tuple, first.astype(int).tolist()))
    kept = [pair[0].observation for pair in windows(rounds, 2)][-KEPT:]
    assert sum(counted.values()) == SAMPLED
    assert set(counted) == set(kept)
    # Transitions of one item are sampled together: the draws are those of items.
    counts = np.array([counted[key] for key in kept]).reshape(-1, per_item)
    assert (counts == counts[:, :1]).all()
    assert p_value(counts[:, 0].astype(float)) > FALSE_ALARM
