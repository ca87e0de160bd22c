"""configs/: each preset is built and takes some gradient steps."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from experiment import definition, gin_text
from launch.in_process import InProcessRun
from tests.experiment.made_presets import PATHS, PRESETS
from tests.launch.a_run import options

# Small enough for a test; what is learned, and by what, stays the preset's own.
SMALL = (
    "Collect.envs_per_actor = 2",
    "Collect.initial_collect_steps = 100",
    "Replay.min_size_to_sample = 100",
    "Replay.max_size = 2000",
)
_NOT_COMPILED = "Train.jit_compile = False"

# Compiled as users have them; test_compiled_agent.py compiles the other agents.
_COMPILED = {"c51_cartpole", "recurrent_dqn_cartpole"}

# The same for agents that learn from their present policy only: two windows a batch.
SMALL_ON_POLICY = (
    "Collect.envs_per_actor = 2",
    "Replay.batch_size = 2",
)


def small(path: Path) -> tuple[str, ...]:
    """What makes a run of this preset small."""
    preset = definition.load_text(gin_text.text_of(path, []))
    takes_random_steps = preset.collect.initial_collect_steps > 0
    own = SMALL if takes_random_steps else SMALL_ON_POLICY
    return own if path.stem in _COMPILED else (*own, _NOT_COMPILED)


@pytest.mark.parametrize("path", PRESETS)
def test_a_preset_learns_from_what_it_collects(path: Path, tmp_path: Path) -> None:
    """All roles in one process; all weights of its policy move, and stay finite."""
    given = options(
        tmp_path,
        num_actors=1,
        gin_file=path.name,
        gin_bindings=[*small(path), "Train.max_train_steps = 3"],
        in_process=True,
    )
    run = InProcessRun(given, lambda: True)
    try:
        weights = [
            each for each in run.trainer.agent.policy.variables() if each.trainable
        ]
        before = [np.array(each) for each in weights]
        for _ in range(2_000):
            if run.is_done:
                break
            run.take_turn()
        steps_per_batch = getattr(run.trainer.agent, "steps_per_batch", 1)
        assert 3 <= run.trainer.train_step < 3 + steps_per_batch
        after = [np.array(each) for each in weights]
        finite = [np.isfinite(each).all() for each in run.trainer.agent.variables]
    finally:
        run.close()
    assert before
    assert not any(np.array_equal(*pair) for pair in zip(before, after))
    assert all(finite)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_preset_says_what_it_is_after(path: Path) -> None:
    """A target, and a comment with what it is, and how long that takes."""
    text = path.read_text()
    assert text.startswith("# ")
    assert re.search(r"^# (.* )?Expected: \w", text, re.MULTILINE)
    assert (
        definition.load_text(gin_text.text_of(path, [])).evaluation.target_return
        is not None
    )
