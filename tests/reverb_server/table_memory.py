"""Fills a table and prints what it took, in a process that has done nothing else."""

from __future__ import annotations

import json
import sys

import numpy as np
import portpicker
import psutil
import reverb

from experiment import environments
from experiment.definition import Experiment
from experiment.settings import Replay
from reverb_server import sizes, tables
from reverb_server.replay_layout import replay_layout
from reverb_server.replay_writer import ReplayWriter
from tests.reverb_server.episodes import batches, experience, queue
from tests.reverb_server.waiting import wait_until

_ENVS = 64


def main(windows_per_item: int, rounds: int) -> None:
    """Prints the bytes that are told, that it grew by, and that the steps have."""
    agent, _ = Experiment().make_agent(environments.gym_environment("CartPole-v1"))
    layout = replay_layout(agent, Replay(transitions_per_item=windows_per_item))
    server = reverb.Server(
        [queue(layout, max_size=1_000_000)], port=portpicker.pick_unused_port()
    )
    client = reverb.Client(f"localhost:{server.port}")
    writer = ReplayWriter(client, layout, _ENVS, lambda: True)
    _, steps, *_ = batches(experience([[3]] * _ENVS))
    random = np.random.default_rng(0)

    def is_there(items: int) -> bool:
        return bool(client.server_info()[tables.REPLAY].current_size == items)

    def grow() -> tuple[int, int]:
        for _ in range(rounds):
            seen = random.random((_ENVS, 4), np.float32)  # It cannot be compressed.
            writer(steps.replace(observation=seen))
        items = writer.transitions // layout.windows_per_item
        wait_until(lambda: is_there(items))
        return psutil.Process().memory_info().rss, writer.transitions

    # What is there anyway, and Reverb's buffers, do not count.
    before, earlier = grow()
    after, transitions = grow()
    told = sizes.replay_bytes(layout, Replay(max_size=transitions - earlier))
    steps_bytes = (transitions - earlier) * layout.codec.step_bytes
    print(json.dumps([told, after - before, steps_bytes]))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
