"""examples/cliff: it is checked, it learns, and the page shows what is printed."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import utils
from tf_agents.train.utils import train_utils
from tf_agents.trajectories import time_step as ts

from experiment import definition
from tests.docs.markdown import ROOT, blocks
from tests.system.commands import CHECKOUT, Start, launch, role, start

__all__ = ["launch", "role", "start"]

PRESET = CHECKOUT / "examples" / "cliff" / "cliff.gin"


@pytest.fixture
def experiment(monkeypatch: pytest.MonkeyPatch) -> definition.Experiment:
    """Of the preset; its folder is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    return definition.load_file(PRESET)


def test_a_walk_ends_at_the_goal_in_the_cliff_or_at_the_limit(
    experiment: definition.Experiment,
) -> None:
    """With a discount of 0, but for the limit."""
    environment = experiment.environment()
    utils.validate_py_environment(environment, episodes=10)
    up, right, down = (np.asarray(move) for move in (0, 1, 2))
    ends = {}
    for name, moves in (
        ("goal", [up] * 3 + [right] * 5 + [down] * 3),
        ("cliff", [right] * 5 + [up] * 2 + [np.asarray(3)] + [down] * 3),
        ("limit", [up] * 50),
    ):
        step = environment.reset()
        for move in moves:
            if not step.is_last():
                step = environment.step(move)
        assert step.is_last()
        ends[name] = float(step.reward), float(step.discount)
        assert environment.step(up).is_first()
    assert ends == {"goal": (-1, 0), "cliff": (-100, 0), "limit": (-1, 1)}


def test_the_next_state_is_worth_what_the_random_policy_will_earn_there(
    experiment: definition.Experiment,
) -> None:
    """Expected Sarsa: 0.9 of the best, and 0.1 of the mean."""
    cliff_agent: Any = importlib.import_module("cliff_agent")
    environment = experiment.environment()
    agent, _ = experiment.make_agent(environment)
    assert isinstance(agent, cliff_agent.ExpectedSarsaAgent)
    [table] = agent._target_q_network.variables
    values = np.random.default_rng(0).normal(size=table.shape)
    table.assign(values.astype(np.float32))
    fields = tf.constant([3, 20, 7], tf.int64)
    steps = ts.restart(fields, batch_size=3)
    found = agent._compute_next_q_values(steps, ())
    rows = values[[3, 20, 7]]
    wanted = 0.9 * rows.max(axis=1) + 0.1 * rows.mean(axis=1)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def shape(text: str) -> list[str]:
    """Lines without their figures."""
    return [re.sub(r"\d[\d,.]*\d|\d", "#", line) for line in text.splitlines()]


def test_the_check_finds_it_ready_and_prints_what_the_page_shows(
    role: Start, tmp_path: Path
) -> None:
    """From another folder than that of the gin file and its modules."""
    command = role("launch.check", f"--gin_file={PRESET}")
    assert command.wait() == 0, command.output
    printed = shape(command.output)
    [sample] = blocks((ROOT / "docs" / "extending.md").read_text(), "text")
    shown = shape(sample)
    units = re.compile(r"\b(kB|MB|GB)\b")
    assert [units.sub("B", line) for line in printed[1:]] == [
        units.sub("B", line) for line in shown[1:]
    ]
    assert printed[0].startswith("checking ")
    assert printed[-1] == "ready: # ok, # warn, # fail"
    assert sample.splitlines()[-1].endswith(" 0 warn, 0 fail")


@pytest.mark.parametrize("flags", [["--in_process"], []], ids=["one", "many"])
def test_it_learns_in_one_process_and_in_many(
    flags: list[str], launch: Start, tmp_path: Path
) -> None:
    """To its target, with modules that are found beside the gin file only."""
    command = launch(f"--gin_file={PRESET}", "--root_dir=run", "--seed=1", *flags)
    assert command.wait() == 0, command.output
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["status"] == "target_reached"
    assert -8 <= result["average_return"] <= -1
    assert result["random_average_return"] < -20
    command.assert_nothing_is_left()


def test_the_agent_counts_with_the_variable_it_is_given(
    experiment: definition.Experiment,
) -> None:
    """As an agent of one's own has to."""
    environment = experiment.environment()
    agent, train_step = experiment.make_agent(environment)
    assert agent.train_step_counter is train_step
    assert train_step.dtype == train_utils.create_train_step().dtype
