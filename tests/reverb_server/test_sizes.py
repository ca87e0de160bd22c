"""reverb_server/sizes.py: what a table takes, against the memory of a real one."""

from __future__ import annotations

import numpy as np
import psutil
import pytest

from experiment.settings import Replay
from reverb_server import sizes, tables
from reverb_server.replay_layout import replay_layout
from reverb_server.replay_writer import ReplayWriter
from tests.reverb_server.conftest import Built, Serve
from tests.reverb_server.episodes import batches, experience, queue
from tests.reverb_server.waiting import wait_until

_ENVS = 64


# So many rounds that what is there anyway, and Reverb's buffers, do not count.
@pytest.mark.parametrize(("windows_per_item", "rounds"), [(1, 200), (8, 1_000)])
def test_the_bytes_of_a_table_are_those_that_it_takes(
    serve: Serve, cartpole: Built, windows_per_item: int, rounds: int
) -> None:
    """Most of them are not the steps', if these are small."""
    layout = replay_layout(
        cartpole.agent, Replay(transitions_per_item=windows_per_item)
    )
    served = serve([queue(layout, max_size=1_000_000)])
    writer = ReplayWriter(served.client, layout, _ENVS, lambda: True)
    _, steps, *_ = batches(experience([[3]] * _ENVS))
    random = np.random.default_rng(0)

    def grow() -> tuple[int, int]:
        for _ in range(rounds):
            seen = random.random((_ENVS, 4), np.float32)  # It cannot be compressed.
            writer(steps.replace(observation=seen))
        items = writer.transitions // layout.windows_per_item
        wait_until(lambda: served.info(tables.REPLAY).current_size == items)
        return psutil.Process().memory_info().rss, writer.transitions

    before, earlier = grow()
    after, transitions = grow()
    told = sizes.replay_bytes(layout, Replay(max_size=transitions - earlier))
    assert told == pytest.approx(after - before, rel=0.5)
    assert told > 2 * (transitions - earlier) * layout.codec.step_bytes
