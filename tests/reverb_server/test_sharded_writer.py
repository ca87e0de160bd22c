"""reverb_server/sharded_writer.py: who gets what, and what if a server is lost."""

from __future__ import annotations

import threading

import pytest

from experiment.settings import Replay
from reverb_server import sharding, tables
from reverb_server.replay_layout import ReplayLayout, replay_layout
from reverb_server.replay_writer import ReplayWriter
from reverb_server.sharded_writer import Part, ShardedWriter
from tests.reverb_server.conftest import Built, Serve, Served
from tests.reverb_server.episodes import (
    Row,
    batches,
    experience,
    queue,
    rows_of,
    take,
    windows,
)
from tests.reverb_server.waiting import wait_until

LENGTHS = [[3, 1, 4, 6, 2, 9], [1, 1, 1, 5, 5, 5], [7, 2, 2, 9], [12, 12], [30]]


def layout_of(cartpole: Built, frames: int = 1) -> ReplayLayout:
    """CartPole's, windows of 3 steps."""
    codec = replay_layout(cartpole.agent, Replay(transitions_per_item=1)).codec
    return ReplayLayout(codec, 3, 1, frames=frames)


class Shards:
    """Two servers, of which the second can be taken for lost."""

    def __init__(self, serve: Serve, layout: ReplayLayout) -> None:
        self.layout = layout
        self.served = [serve([queue(layout)]) for _ in range(2)]
        self.is_lost = False
        looks = (lambda: False, lambda: self.is_lost)
        self.writer = ShardedWriter(
            [
                Part(ReplayWriter(each.client, layout, count, lambda: True), own, look)
                for each, own, count, look in zip(
                    self.served, self.environments(), (3, 2), looks
                )
            ]
        )

    def environments(self) -> list[slice]:
        """Of the servers."""
        return [sharding.environments_of(number, 2, 0, 5) for number in range(2)]

    def write(self, rounds: list[list[Row]]) -> None:
        """As a driver does."""
        for steps in batches(rounds):
            self.writer(steps)

    def own(self, rounds: list[list[Row]], number: int) -> list[list[Row]]:
        """The same of the environments of a server only."""
        return [rows[self.environments()[number]] for rows in rounds]

    def found(self, served: Served, items: int) -> list[list[Row]]:
        """The windows that a server has got."""
        wait_until(lambda: served.info(tables.REPLAY).current_size == items)
        steps = take(served.client, self.layout, items)
        return [rows_of(each.trajectory) for each in steps]


@pytest.fixture
def shards(serve: Serve, cartpole: Built) -> Shards:
    """There."""
    return Shards(serve, layout_of(cartpole))


def test_every_environment_is_written_to_its_server(shards: Shards) -> None:
    rounds = experience(LENGTHS)
    shards.write(rounds)
    total = 0
    for number, served in enumerate(shards.served):
        expected = windows(shards.own(rounds, number), 3)
        assert shards.found(served, len(expected)) == expected
        total += len(expected)
    assert shards.writer.transitions == total
    assert shards.writer.rounds == len(rounds)


def test_nobody_waits_for_a_lost_server_and_no_window_spans_the_gap(
    shards: Shards,
) -> None:
    """The others get all; the lost one gets what is collected once it is back."""
    rounds = experience(LENGTHS)
    shards.write(rounds[:9])
    before = windows(shards.own(rounds, 1)[:9], 3)
    wait_until(lambda: shards.served[1].info(tables.REPLAY).current_size == len(before))
    shards.is_lost = True
    shards.write(rounds[9:14])
    shards.is_lost = False
    shards.write(rounds[14:])
    first, second = shards.served
    expected = windows(shards.own(rounds, 0), 3)
    assert shards.found(first, len(expected)) == expected
    own = shards.own(rounds, 1)
    expected = windows(own[:9], 3) + windows(own[14:], 3)
    assert shards.found(second, len(expected)) == expected


def test_who_has_lost_servers_only_waits_for_one_of_them(
    serve: Serve, cartpole: Built
) -> None:
    """It would step as fast as it can, for nothing."""
    layout, lost = layout_of(cartpole), threading.Event()
    lost.set()
    to_server = ReplayWriter(serve([queue(layout)]).client, layout, 5, lambda: True)
    writer = ShardedWriter([Part(to_server, slice(None), lost.is_set)])
    step = next(iter(batches(experience(LENGTHS))))
    writing = threading.Thread(target=writer, args=(step,), daemon=True)
    writing.start()
    writing.join(0.6)
    assert writing.is_alive()
    lost.clear()
    writing.join(60)
    assert not writing.is_alive()
    stopped = ShardedWriter([Part(to_server, slice(None), lambda: True)], lambda: False)
    stopped(step)


def test_the_frames_before_a_window_are_not_from_before_a_gap(
    serve: Serve, cartpole: Built
) -> None:
    """So many steps more pass before the first window."""
    [served] = [serve([queue(layout_of(cartpole, frames=3))])]
    layout = layout_of(cartpole, frames=3)
    writer = ReplayWriter(served.client, layout, 1, lambda: True)
    steps = list(batches(experience([[40]])))
    for each in steps[:10]:
        writer(each)
    before = writer.transitions
    writer.skip()
    for number, each in enumerate(steps[11:20], start=1):
        writer(each)
        # A window of 3 steps, and 2 before it.
        assert writer.transitions == before + max(0, number - 4)
