"""A run for tests: what its gin text says, and how it is joined without signals."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from experiment import process
from experiment.manifest import Manifest

GIN_TEXT = """
gym_environment.name = 'CartPole-v1'
Replay.max_size = 1000
Replay.min_size_to_sample = 8
Replay.samples_per_insert = None
Replay.batch_size = 8
Collect.initial_collect_steps = 0
Evaluation.episodes = 3
"""


class StopByHand(process.StopSignal):
    """A stop signal without signals: those of this process are pytest's."""

    def __init__(self) -> None:
        """Not stopped."""
        self._event = threading.Event()
        self._number = 0

    def set(self) -> None:
        """Asks to stop, as SIGTERM would."""
        self._number = signal.SIGTERM
        self._event.set()


def manifest(root_dir: Path, shards: int = 0) -> Manifest:
    """Of a run as `GIN_TEXT` has it, with so many further replay servers."""
    return Manifest.new(
        gin_file="test.gin",
        gin_text=GIN_TEXT,
        root_dir=str(root_dir),
        seed=0,
        num_actors=1,
        resumed=False,
        replay_shards=[""] * shards,
    )
