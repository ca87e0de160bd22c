"""experiment/manifest.py: what makes a run this run."""

from __future__ import annotations

import json
import time

from experiment import process
from experiment.manifest import Manifest


def manifest() -> Manifest:
    """Of a run with text that is not plain."""
    return Manifest.new(
        gin_file="dqn_cartpole.gin",
        gin_text="Replay.batch_size = 64\n# 'quotes', \"quotes\", \\ and é\n",
        root_dir="/runs/a b",
        seed=2**40,
        num_actors=3,
        resumed=True,
    )


def test_nothing_is_lost_on_the_way_to_another_process() -> None:
    """Through JSON, which people can read too."""
    before = manifest()
    text = before.to_json()
    assert Manifest.from_json(text) == before
    assert json.loads(text)["gin_text"] == before.gin_text


def test_no_two_runs_have_one_id() -> None:
    """Not even if they start in the same second."""
    assert len({manifest().run_id for _ in range(100)}) == 100


def test_the_wall_time_counts_from_the_start_of_the_process() -> None:
    """The seconds that imports take are the user's seconds too."""
    run = manifest()
    assert run.started_at == process.started_at()
    assert time.time() - run.started_at <= run.wall_time_s() + 1
    assert run.wall_time_s() > 0
