"""reverb_server/replay_writer.py: what is in the items, and what if they cannot go."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from tf_agents.trajectories import StepType

from experiment.settings import Replay
from reverb_server import replay_writer, tables
from reverb_server.replay_layout import ReplayLayout, Step, replay_layout
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
from tests.reverb_server.waiting import wait_until

# Episodes of one transition, and episodes that end together and alone.
LENGTHS = [[3, 1, 4, 6, 2, 9], [1, 1, 1, 1, 5, 5, 5], [7, 2, 2, 9], [12, 12]]

# The same with environments that fail (negative): in the midst of an episode, at its
# first action, again and again, and right after a good episode.
FAILURES = [
    [3, -1, 4, -6, 2, 9],
    [-1, -1, 1, -1, -5, 5, 5, 3],
    [-7, -2, 2, 9, 9],
    [12, -16],
]


# The same with episodes that a time limit ends (100 more).
TIME_LIMITS = [
    [103, 1, 104, 6, 102, 9],
    [101, 101, 1, 1, 105, 5, 5, 3],
    [7, 102, 102, 9],
    [112, -16],
]


def running() -> bool:
    """The run goes on."""
    return True


def layout_of(
    cartpole: Built,
    per_item: int,
    sequence_length: int = 2,
    stride: int = 1,
    spans: bool = False,
) -> ReplayLayout:
    """CartPole's, with so many windows of so many steps."""
    settings = Replay(batch_size=per_item, transitions_per_item=per_item)
    codec = replay_layout(cartpole.agent, settings).codec
    return ReplayLayout(codec, sequence_length, per_item, stride, spans)


@pytest.mark.parametrize("lengths", [LENGTHS, FAILURES, TIME_LIMITS])
@pytest.mark.parametrize("sequence_length", [2, 3, 4])
@pytest.mark.parametrize("per_item", [1, 3])
@pytest.mark.parametrize("envs", [1, 3, 4])
def test_every_window_is_written_once(
    serve: Serve,
    cartpole: Built,
    envs: int,
    per_item: int,
    sequence_length: int,
    lengths: list[list[int]],
) -> None:
    """In the order in which they become complete.

    What a terminal state ends may go on in the next episode, where the agent discounts
    it by 0; so the last transitions of an episode are learned from too.
    """
    layout = layout_of(cartpole, per_item, sequence_length)
    served = serve([queue(layout)])
    writer = ReplayWriter(served.client, layout, envs, running)
    rounds = experience(lengths[:envs])
    for steps in batches(rounds):
        writer(steps)
    expected = windows(rounds, sequence_length)
    assert len(expected) > 10
    items = len(expected) // per_item  # All but those of the last item, not yet full.
    assert writer.transitions == items * per_item
    wait_until(lambda: served.info(tables.REPLAY).current_size == items)
    found = [rows_of(steps.trajectory) for steps in take(served.client, layout, items)]
    assert found == expected[: items * per_item]


def test_transitions_are_those_of_an_episode_by_hand(
    serve: Serve, cartpole: Built
) -> None:
    """Two transitions, of which the second ends the episode."""
    layout = layout_of(cartpole, per_item=1)
    served = serve([queue(layout)])
    writer = ReplayWriter(served.client, layout, 1, running)
    for steps in batches(experience([[2, 2]])):
        writer(steps)
    wait_until(lambda: served.info(tables.REPLAY).current_size == 4)
    first, second, other, _ = (
        steps.trajectory for steps in take(served.client, layout, 4)
    )
    assert first.observation.tolist() == [[0, 0, 0, 0], [0, 0, 1, 0]]
    assert second.observation.tolist() == [[0, 0, 1, 0], [0, 0, 2, 0]]
    assert second.discount[0] == 0
    assert second.reward[0] == 1.5
    assert second.is_boundary().tolist() == [False, True]
    assert other.observation.tolist() == [[0, 1, 0, 0], [0, 1, 1, 0]]
    assert other.is_first().tolist() == [True, False]


@pytest.mark.parametrize("per_item", [1, 2])
@pytest.mark.parametrize("sequence_length", [2, 3])
def test_no_transition_leads_across_the_failure_of_an_environment(
    serve: Serve, cartpole: Built, sequence_length: int, per_item: int
) -> None:
    """By hand: three actions, of which the last fails, then an episode of three.

    The last observation before the failure was seen, so a window may end with it. Of
    the action that failed nothing is known, so no transition begins there.
    """
    layout = layout_of(cartpole, per_item, sequence_length)
    served = serve([queue(layout)])
    writer = ReplayWriter(served.client, layout, 1, running)
    for steps in batches(experience([[-3, 3]])):
        writer(steps)
    expected = {
        2: [[(0, 0), (0, 1)], [(0, 1), (0, 2)], [(1, 0), (1, 1)], [(1, 1), (1, 2)]],
        3: [[(0, 0), (0, 1), (0, 2)], [(1, 0), (1, 1), (1, 2)]],
    }[sequence_length]
    items = len(expected) // per_item
    wait_until(lambda: served.info(tables.REPLAY).current_size >= items)
    content = [step.trajectory for step in take(served.client, layout, items)]
    seen = [[tuple(row[1:3]) for row in each.observation] for each in content]
    assert seen[: len(expected)] == expected
    for each in content:
        assert (each.next_step_type[:-1] != StepType.FIRST).all()
        assert (each.reward[:-1] > 0).all()


def test_each_step_tells_of_the_policy_that_acted(
    serve: Serve, cartpole: Built
) -> None:
    """A window may have been begun by one and ended by the next."""
    layout = layout_of(cartpole, per_item=1)
    served = serve([queue(layout)])
    writer = ReplayWriter(served.client, layout, 1, running)
    for number, steps in enumerate(batches(experience([[4]]))):
        writer.policy_train_step = number * 10
        writer(steps)
    wait_until(lambda: served.info(tables.REPLAY).current_size == 4)
    found = [
        steps.policy_train_step.tolist() for steps in take(served.client, layout, 4)
    ]
    assert found == [[0, 10], [10, 20], [20, 30], [30, 40]]


def test_what_the_driver_does_with_its_arrays_later_does_not_matter(
    serve: Serve, cartpole: Built
) -> None:
    """Environments may use theirs again."""
    layout = layout_of(cartpole, per_item=3)
    served = serve([queue(layout)])
    writer = ReplayWriter(served.client, layout, 1, running)
    rounds = experience([[3]])
    for steps in batches(rounds):
        writer(steps)
        steps.observation[:] = np.nan
    wait_until(lambda: served.info(tables.REPLAY).current_size == 1)
    found = [rows_of(steps.trajectory) for steps in take(served.client, layout, 1)]
    assert found == windows(rounds, 2)


class Blocked:
    """A writer in a thread, in front of a table that takes only so many items."""

    def __init__(self, serve: Serve, layout: ReplayLayout, max_size: int) -> None:
        """Writes until the limiter blocks it."""
        self.served = serve([queue(layout, max_size)])
        self.rounds = experience([[50] * 4])
        self.asked = 0
        self.stop = False
        self.writer = ReplayWriter(self.served.client, layout, 1, self.is_running)
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.thread.start()
        # Two waits for the limiter were in vain, and nothing was written meanwhile.
        wait_until(lambda: self.served.info(tables.REPLAY).current_size == max_size)
        asked, written = self.asked, self.writer.transitions
        while self.asked < asked + 3:
            if self.writer.transitions > written:
                asked, written = self.asked, self.writer.transitions
            time.sleep(0.005)

    def is_running(self) -> bool:
        """Counts how often the writer asked."""
        self.asked += 1
        return not self.stop

    def write(self) -> None:
        """Writes all there is."""
        for steps in batches(self.rounds):
            if self.stop:
                return
            self.writer(steps)


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blocked writer looks more often whether to stop."""
    monkeypatch.setattr(replay_writer, "_FLUSH_TIMEOUT_MS", 50)


@pytest.mark.usefixtures("quick_looks")
def test_little_is_on_its_way_while_the_limiter_blocks(
    serve: Serve, cartpole: Built
) -> None:
    """The writer waits; it does not gather what it cannot send."""
    blocked = Blocked(serve, layout_of(cartpole, per_item=1), max_size=5)
    assert blocked.writer.transitions <= 5 + replay_writer._MAX_UNSENT_ITEMS + 1
    blocked.stop = True
    blocked.thread.join(timeout=10)


@pytest.mark.usefixtures("quick_looks")
def test_a_wait_counts_while_it_goes_on(serve: Serve, cartpole: Built) -> None:
    """Whoever looks sees a writer that is blocked, and not only one that was."""
    blocked = Blocked(serve, layout_of(cartpole, per_item=1), max_size=1)
    before, waited_s = time.monotonic(), blocked.writer.waited_s
    wait_until(lambda: blocked.writer.waited_s > waited_s + 0.1)
    assert blocked.writer.waited_s - waited_s <= time.monotonic() - before
    blocked.stop = True
    blocked.thread.join(timeout=10)
    all_of_it = blocked.writer.waited_s
    assert all_of_it > waited_s + 0.1
    assert blocked.writer.waited_s == all_of_it


@pytest.mark.usefixtures("quick_looks")
def test_a_blocked_writer_stops_with_the_run(serve: Serve, cartpole: Built) -> None:
    """Though the limiter goes on blocking."""
    blocked = Blocked(serve, layout_of(cartpole, per_item=1), max_size=1)
    assert blocked.thread.is_alive()
    blocked.stop = True
    blocked.thread.join(timeout=10)
    assert not blocked.thread.is_alive()
    assert blocked.served.info(tables.REPLAY).current_size == 1


@pytest.mark.usefixtures("quick_looks")
def test_nothing_is_lost_or_doubled_by_the_limiter(
    serve: Serve, cartpole: Built
) -> None:
    """What waited comes in its order, once there is room."""
    layout = layout_of(cartpole, per_item=1)
    blocked = Blocked(serve, layout, max_size=5)
    expected = windows(blocked.rounds, 2)
    found: list[Step] = []
    while len(found) < len(expected):
        wait_until(lambda: blocked.served.info(tables.REPLAY).current_size)
        ready = blocked.served.info(tables.REPLAY).current_size
        found += take(blocked.served.client, layout, ready)
    blocked.thread.join(timeout=10)
    assert not blocked.thread.is_alive()
    assert [rows_of(steps.trajectory) for steps in found] == expected
    assert blocked.served.info(tables.REPLAY).current_size == 0
