"""reverb_server/rate_limiter.py: ratios that are kept, and block nobody for ever."""

from __future__ import annotations

import itertools
import math
import threading
from typing import Any

import pytest
import reverb
import tensorflow as tf

from experiment.errors import ConfigurationError
from experiment.settings import Collect, Replay, Train
from reverb_server import rate_limiter, tables
from reverb_server.rate_limiter import smallest_tolerance
from reverb_server.replay_dataset import replay_dataset
from reverb_server.replay_layout import ReplayLayout, replay_layout
from reverb_server.replay_writer import ReplayWriter
from tests.reverb_server.conftest import Built, Serve, Served
from tests.reverb_server.episodes import batches, experience
from tests.reverb_server.waiting import wait_until

# Gradient steps in a call of the learner's graph.
STEPS = 1


def table(
    replay: Replay, collect: Collect, num_actors: int, signature: Any = None
) -> reverb.Table:
    """The replay table with its limiter."""
    return reverb.Table(
        tables.REPLAY,
        sampler=reverb.selectors.Uniform(),
        remover=reverb.selectors.Fifo(),
        max_size=replay.max_size // replay.windows_per_item,
        rate_limiter=rate_limiter.rate_limiter(
            replay, collect, Train(steps_per_call=STEPS), num_actors
        ),
        signature=signature,
    )


def counts(served: Served) -> tuple[int, int]:
    """Items inserted and sampled so far."""
    limiter = served.info(tables.REPLAY).rate_limiter_info
    return limiter.insert_stats.completed, limiter.sample_stats.completed


@pytest.mark.parametrize(
    ("min_size", "random_steps", "per_item", "items"),
    [(100, 0, 1, 100), (100, 300, 1, 300), (100, 0, 8, 13), (1, 0, 8, 1)],
)
def test_the_first_sample_waits_for_the_random_steps_too(
    min_size: int, random_steps: int, per_item: int, items: int
) -> None:
    """In items, of which a part is not enough."""
    replay = Replay(min_size_to_sample=min_size, transitions_per_item=per_item)
    collect = Collect(initial_collect_steps=random_steps)
    assert rate_limiter.min_items_to_sample(replay, collect) == items


GRID = itertools.product(
    (1e-3, 0.3, 1, 8.0, 64, 10_000),  # Samples per insert.
    (1, 2, 8, 64),  # Transitions in an item.
    (1, 1_000),  # Transitions before the first sample.
    (1, 16, 300),  # Environments of an actor.
    (1, 2, 100),  # Actors.
)


def test_the_computed_tolerance_is_one_that_reverb_takes() -> None:
    """For whatever settings: it refuses some, and warns of others."""
    for ratio, per_item, min_size, envs, actors in GRID:
        replay = Replay(
            samples_per_insert=ratio,
            transitions_per_item=per_item,
            min_size_to_sample=min_size,
        )
        collect = Collect(envs_per_actor=envs, initial_collect_steps=0)
        table(replay, collect, actors)


def test_the_tolerance_covers_what_both_sides_hold() -> None:
    """By hand: 5 calls of 7 batches, 2 stacks of 4, and the rounds of 3 actors."""
    replay = Replay(batch_size=10, transitions_per_item=2)
    train = Train(steps_per_call=7)
    for envs, round_of_actor in ((7, 7), (1, 2)):
        collect = Collect(envs_per_actor=envs)
        expected = 350 + 80 + math.ceil(2.5 * 3 * round_of_actor)
        assert smallest_tolerance(replay, collect, train, 3, ratio=2.5) == expected


def test_a_tolerance_that_would_block_is_refused_with_the_smallest() -> None:
    """Which then is taken."""
    collect = Collect()
    smallest = smallest_tolerance(Replay(), collect, Train(), 4, ratio=8.0)
    replay = Replay(samples_per_insert_tolerance=smallest - 1)
    with pytest.raises(ConfigurationError) as raised:
        rate_limiter.rate_limiter(replay, collect, Train(), 4)
    message = str(raised.value)
    assert f"samples_per_insert_tolerance is {smallest - 1};" in message
    assert f">= {smallest}," in message
    assert "4 actors" in message
    replay = Replay(samples_per_insert_tolerance=smallest)
    rate_limiter.rate_limiter(replay, collect, Train(), 4)


@pytest.mark.parametrize(
    ("replay", "collect"),
    [
        (Replay(max_size=1_000), Collect(initial_collect_steps=1_001)),
        (Replay(max_size=1_001, min_size_to_sample=1_001), Collect()),
        (Replay(max_size=7, min_size_to_sample=1), Collect(initial_collect_steps=0)),
    ],
)
@pytest.mark.parametrize("ratio", [None, 8.0])
def test_a_table_too_small_for_its_first_sample_is_refused(
    replay: Replay, collect: Collect, ratio: float | None
) -> None:
    """Counted in whole items; Reverb would wait for ever."""
    replay = Replay(
        max_size=replay.max_size,
        min_size_to_sample=replay.min_size_to_sample,
        samples_per_insert=ratio,
    )
    with pytest.raises(ConfigurationError, match=r"Replay\.max_size is \d+") as raised:
        rate_limiter.rate_limiter(replay, collect, Train(), 1)
    wanted = int(str(raised.value).split("waits for ")[1].split()[0])
    enough = Replay(
        max_size=wanted,
        min_size_to_sample=replay.min_size_to_sample,
        samples_per_insert=ratio,
    )
    table(enough, collect, 1)


def test_a_ratio_that_is_no_number_never_gets_here() -> None:
    """Reverb would end the whole process."""
    with pytest.raises(ConfigurationError, match="samples_per_insert is nan"):
        Replay(samples_per_insert=math.nan)


# 2 samples an insert, off by at most 60 samples, from the 10th transition on.
STRICT = Replay(
    max_size=1_000,
    min_size_to_sample=10,
    samples_per_insert=2,
    samples_per_insert_tolerance=64,
    batch_size=1,
    transitions_per_item=1,
)
ONE_ENV = Collect(envs_per_actor=1, initial_collect_steps=0)


def insert(served: Served, items: int) -> threading.Thread:
    """Inserts from a thread, as it may be blocked."""

    def run() -> None:
        for _ in range(items):
            served.client.insert(0, {tables.REPLAY: 1.0})

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def sample_until_blocked(served: Served) -> int:
    """Takes all samples that the limiter lets go."""
    samples = reverb.TimestepDataset.from_table_signature(
        served.address,
        tables.REPLAY,
        max_in_flight_samples_per_worker=1,
        num_workers_per_iterator=1,
        rate_limiter_timeout_ms=300,
    )
    return sum(1 for _ in samples)


def test_both_sides_are_blocked_where_the_tolerance_ends(serve: Serve) -> None:
    """Not before, not later; 2 * inserts - samples stays within 20 -+ 64."""
    served = serve([table(STRICT, ONE_ENV, 1, tf.TensorSpec([], tf.int64))])
    writer = insert(served, 47)
    wait_until(lambda: counts(served)[0] == 42)  # 2 * 42 = 20 + 64.
    assert sample_until_blocked(served) > 0
    writer.join(timeout=20)
    assert not writer.is_alive()
    sample_until_blocked(served)
    assert counts(served) == (47, 138)  # 2 * 47 - 138 = 20 - 64.


def test_without_a_ratio_nobody_waits_for_the_other(serve: Serve) -> None:
    """Only for the first transitions."""
    replay = Replay(
        max_size=50,
        min_size_to_sample=10,
        samples_per_insert=None,
        batch_size=1,
        transitions_per_item=1,
    )
    served = serve([table(replay, ONE_ENV, 1, tf.TensorSpec([], tf.int64))])
    insert(served, 9).join(timeout=20)
    assert sample_until_blocked(served) == 0
    insert(served, 200).join(timeout=20)
    assert counts(served)[0] == 209
    assert len(list(served.client.sample(tables.REPLAY, 1_000))) == 1_000


# Each side's burst is large beside the other's: where a deadlock would show.
LIVELY = [
    (Replay(samples_per_insert=1, batch_size=64), 1, 1),
    (Replay(samples_per_insert=64, batch_size=8, transitions_per_item=1), 1, 1),
    (Replay(samples_per_insert=0.2, batch_size=8), 16, 2),
    (Replay(samples_per_insert=8, batch_size=256), 64, 3),
]


@pytest.mark.parametrize(("settings", "envs", "actors"), LIVELY)
def test_actors_and_learner_go_on_and_keep_the_ratio(
    serve: Serve, cartpole: Built, settings: Replay, envs: int, actors: int
) -> None:
    """With the tightest tolerance, and all of what is between them."""
    collect = Collect(envs_per_actor=envs, initial_collect_steps=0)
    ratio = settings.samples_per_insert
    assert ratio
    tolerance = smallest_tolerance(
        settings, collect, Train(steps_per_call=STEPS), actors, ratio
    )
    replay = Replay(
        max_size=100_000,
        min_size_to_sample=1,
        samples_per_insert=ratio,
        samples_per_insert_tolerance=tolerance,
        batch_size=settings.batch_size,
        transitions_per_item=settings.windows_per_item,
    )
    layout = replay_layout(cartpole.agent, replay)
    served = serve([table(replay, collect, actors, {"steps": layout.signature})])
    stop = threading.Event()
    writers = [
        threading.Thread(target=act, args=(served, layout, envs, stop), daemon=True)
        for _ in range(actors)
    ]
    taken: list[None] = []
    wanted = math.ceil(max(3_000, 2 * tolerance) / replay.batch_size / STEPS)
    dataset = replay_dataset(served.address, layout, replay.batch_size)
    learner = threading.Thread(target=take, args=(dataset, wanted, taken), daemon=True)
    for thread in (*writers, learner):
        thread.start()
    wait_until(lambda: len(taken) == wanted)
    stop.set()
    inserted, sampled = counts(served)
    assert sampled * replay.windows_per_item >= wanted * STEPS * replay.batch_size
    allowed = tolerance / replay.windows_per_item
    assert abs(ratio * (inserted - 1) - sampled) <= allowed + ratio
    for writer in writers:
        writer.join(timeout=20)
        assert not writer.is_alive()


def take(dataset: tf.data.Dataset, wanted: int, taken: list[None]) -> None:
    """Takes batches as the learner does."""
    for _ in dataset.unbatch().prefetch(2 * STEPS).batch(STEPS).take(wanted):
        taken.append(None)


def act(served: Served, layout: ReplayLayout, envs: int, stop: threading.Event) -> None:
    """Writes without end."""
    writer = ReplayWriter(
        reverb.Client(served.address), layout, envs, lambda: not stop.is_set()
    )
    steps = list(batches(experience([[9] * 10] * envs)))
    while not stop.is_set():
        for step in steps:
            writer(step)
