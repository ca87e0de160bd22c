"""The benchmarks in a tiny form: they run, and measure something on all sides."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.system.commands import CHECKOUT, Command

# Each benchmark, with a flag if it is another one then; its flags, and how many rows it
# tells.
TINY = {
    "replay": (["--seconds=1", "--most_cases=1"], 2),
    "shards": (["--seconds=1", "--most_cases=1"], 2),
    "learner": (["--seconds=1", "--rounds=1"], 3),
    "throughput": (["--seconds=2", "--rounds=1", "--num_actors=1"], 4),
    "scaling": (["--seconds=2", "--actors=1"], 2),
    "scaling --synthetic": (["--seconds=1", "--actors=4"], 2),
    "transitions_per_item": (["--seeds=0", "--train_steps=500", "--png=found.png"], 2),
    "side_by_side": ([f"--other={CHECKOUT}", "--seconds=2", "--rounds=1"], 1),
    "learning": (
        [
            "--preset=dqn_cartpole.gin",
            "--seeds=1",
            "--max_train_steps=200",
            "--page=page.md",
        ],
        1,
    ),
    "gradient_steps": (["--seconds=0.1", "--rounds=1"], 8),
    "soak": (["--minutes=0.05"], 18),
    "memory": (["--env_steps=2000", "--max_size=2000", "--settle_steps=1000"], 5),
}

# Several whole runs, eight compilations, eleven processes, or two servers with a dozen
# loads each: too long for every CI run.
SLOW = {
    "gradient_steps",
    "learning",
    "scaling",
    "scaling --synthetic",
    "shards",
    "side_by_side",
    "throughput",
    "transitions_per_item",
}

# Figures that may be nothing: whether memory has grown, and a ratio of it.
MAYBE_NOTHING = {"growth, MB", "growth"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in SLOW else ())
        for name in sorted(TINY)
    ],
)
def test_a_benchmark_measures_all_sides(name: str, tmp_path: Path) -> None:
    """And prints what it measured, and leaves no process behind."""
    flags, row_count = TINY[name]
    script = str(CHECKOUT / "launch" / "run_module.py")
    arguments = [*f"benchmarks.{name}".split(), "--json=found.json", *flags]
    command = Command([sys.executable, script, *arguments], tmp_path)
    try:
        assert command.wait(280) == 0, command.output
        command.assert_nothing_is_left()
    finally:
        command.kill()
    found: dict[str, Any] = json.loads((tmp_path / "found.json").read_text())
    assert len(found["rows"]) == row_count
    for row in found["rows"]:
        for figure, value in row.items():
            if isinstance(value, (int, float)) and figure not in MAYBE_NOTHING:
                assert value > 0, (figure, row)
    heads = list(found["rows"][0])
    assert all(head.strip() in command.output for head in heads)
