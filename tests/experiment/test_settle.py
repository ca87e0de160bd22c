"""experiment/run_start.py: whether a resumed run fits what it has stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiment import definition, run_dir, run_start
from experiment.errors import ConfigurationError
from experiment.manifest import Manifest

WEIGHTS = ["float32[4, 8]", "float32[8]"]


def load(*bindings: str) -> str:
    """Builds an experiment, so that gin knows its values; returns them all."""
    text = "\n".join(["gym_environment.name = 'CartPole-v1'", *bindings])
    experiment = definition.load_text(text)
    experiment.make_agent(experiment.environment())
    return definition.operative_text()


def manifest(root_dir: Path) -> Manifest:
    """Of a run that is not built yet."""
    return Manifest.new(
        gin_file="test.gin",
        gin_text="",
        root_dir=str(root_dir),
        seed=0,
        num_actors=1,
        resumed=False,
    )


@pytest.fixture
def stored(tmp_path: Path) -> Manifest:
    """A run in a folder, with its values."""
    made = run_start.settle(manifest(tmp_path), WEIGHTS)
    run_dir.write_text(tmp_path / run_dir.CONFIG, load())
    return made


def test_a_new_run_has_its_weights_and_no_changes(tmp_path: Path) -> None:
    """There is nothing to compare with."""
    settled = run_start.settle(manifest(tmp_path), WEIGHTS)
    assert list(settled.weights) == WEIGHTS
    assert list(settled.changes) == []


def test_what_a_resume_changes_is_in_its_manifest(stored: Manifest) -> None:
    """Nothing, at first."""
    load()
    assert list(run_start.settle(stored, WEIGHTS).changes) == []
    load("Replay.batch_size = 16", "Train.steps_per_call = 5")
    assert list(run_start.settle(stored, WEIGHTS).changes) == [
        "Replay.batch_size was 64, is 16",
        "Train.steps_per_call was 32, is 5",
    ]


def test_other_weights_are_refused_with_both(stored: Manifest) -> None:
    """And with the change that made them."""
    load("q_network.layers = (8, 8)")
    with pytest.raises(ConfigurationError) as raised:
        run_start.settle(stored, ["float32[4, 9]"])
    message = str(raised.value)
    assert "q_network.layers was (100, 50), is (8, 8)" in message
    assert "would be float32[4, 9], " in message
    assert "stored are float32[4, 8], float32[8];" in message
    assert "\n" not in message


def test_other_weights_without_a_change_are_other_code(stored: Manifest) -> None:
    """Of the user's network, say."""
    load()
    with pytest.raises(ConfigurationError, match="the code has changed"):
        run_start.settle(stored, ["float32[4, 9]"])


def test_another_task_is_refused(stored: Manifest) -> None:
    """Even if the weights have the same shapes."""
    load("gym_environment.name = 'CartPole-v0'")
    with pytest.raises(ConfigurationError, match=r"was 'CartPole-v1', is 'CartPole-v0"):
        run_start.settle(stored, WEIGHTS)
