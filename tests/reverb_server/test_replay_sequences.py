"""reverb_server/replay_writer.py: windows that go on in the next episode, or do not."""

from __future__ import annotations

import pytest

from reverb_server import tables
from reverb_server.replay_writer import ReplayWriter
from tests.reverb_server.conftest import Built, Serve
from tests.reverb_server.episodes import (
    batches,
    experience,
    queue,
    rows_of,
    take,
    windows,
)
from tests.reverb_server.test_replay_writer import (
    FAILURES,
    LENGTHS,
    TIME_LIMITS,
    layout_of,
    running,
)
from tests.reverb_server.waiting import wait_until


@pytest.mark.parametrize("lengths", [LENGTHS, FAILURES, TIME_LIMITS])
@pytest.mark.parametrize(("length", "stride"), [(4, 1), (4, 2), (4, 3), (6, 5)])
@pytest.mark.parametrize("per_item", [1, 2])
def test_sequences_go_on_over_the_ends_of_episodes(
    serve: Serve,
    cartpole: Built,
    per_item: int,
    length: int,
    stride: int,
    lengths: list[list[int]],
) -> None:
    """An agent of sequences sees the ends; only what failed is the end of all."""
    layout = layout_of(cartpole, per_item, length, stride, spans=True)
    served = serve([queue(layout)])
    writer = ReplayWriter(served.client, layout, 3, running)
    rounds = experience(lengths[:3])
    for steps in batches(rounds):
        writer(steps)
    expected = windows(rounds, length, stride, spans=True)
    items = len(expected) // per_item
    assert items > 1
    wait_until(lambda: served.info(tables.REPLAY).current_size == items)
    found = [rows_of(steps.trajectory) for steps in take(served.client, layout, items)]
    assert found == expected[: items * per_item]


def test_what_a_time_limit_ends_does_not_go_on(serve: Serve, cartpole: Built) -> None:
    """By hand, with windows of three: of two episodes, the first is cut off."""
    layout = layout_of(cartpole, per_item=1, sequence_length=3)
    served = serve([queue(layout)])
    writer = ReplayWriter(served.client, layout, 1, running)
    for steps in batches(experience([[102, 2, 2]])):
        writer(steps)
    wait_until(lambda: served.info(tables.REPLAY).current_size == 4)
    content = [step.trajectory for step in take(served.client, layout, 4)]
    seen = [[tuple(row[1:3]) for row in each.observation] for each in content]
    assert seen == [
        [(0, 0), (0, 1), (0, 2)],
        [(1, 0), (1, 1), (1, 2)],
        [(1, 1), (1, 2), (2, 0)],  # The second reward is the last of its episode.
        [(2, 0), (2, 1), (2, 2)],
    ]
