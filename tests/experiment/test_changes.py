"""experiment/changes.py: what a resume has changed, told from two texts of gin."""

from __future__ import annotations

import pytest

from experiment import changes, definition
from experiment.errors import ConfigurationError


def operative(*bindings: str) -> str:
    """The text of all values in force, as a run's folder has it."""
    experiment = definition.load_text("\n".join(bindings))
    experiment.make_agent(experiment.environment())
    return definition.operative_text()


CARTPOLE = "gym_environment.name = 'CartPole-v1'"


def test_each_value_is_found_under_its_name() -> None:
    """Comments, imports and blank lines are none; a value may have a `=` in it."""
    text = """
# Parameters for Replay:
# ==============================================================================
import x
Replay.batch_size = 64
scope/Replay.max_size = None
a.b = 'c = d'
"""
    assert changes.values(text) == {
        "Replay.batch_size": "64",
        "scope/Replay.max_size": "None",
        "a.b": "'c = d'",
    }


def test_a_value_over_several_lines_is_one() -> None:
    """Long ones are broken by gin, in two ways."""
    text = """a.b = \\
    'long'
c.d = \\
    [1,
     2]
e.f = {
    'x': 1,
}
g.h = 3
"""
    assert changes.values(text) == {
        "a.b": "'long'",
        "c.d": "[1, 2]",
        "e.f": "{ 'x': 1,}",
        "g.h": "3",
    }


def test_what_gin_itself_breaks_into_lines_is_read_as_it_was_bound() -> None:
    """The text of a real experiment, with a value that is longer than a line."""
    layers = ", ".join(["100"] * 40)
    text = operative(CARTPOLE, f"q_network.layers = ({layers})")
    assert any(line.startswith((" ", "\t")) for line in text.splitlines())
    found = changes.values(text)
    assert found["q_network.layers"].replace(" ", "") == f"({layers})".replace(" ", "")
    assert found["gym_environment.name"] == "'CartPole-v1'"


def test_what_has_changed_is_listed_with_both_values() -> None:
    """And what is bound on one side only; the order is that of the names."""
    before = "b.x = 1\na.x = 'old'\nc.x = 1\nsame.x = [1,\n    2]\n"
    now = "a.x = 'new'\nb.x = 1\nd.x = 2\nsame.x = [1, 2]\n"
    assert list(changes.compare(before, now).values()) == [
        "a.x was 'old', is 'new'",
        "c.x was 1, is not bound",
        "d.x was not bound, is 2",
    ]
    assert changes.compare(now, now) == {}


def test_a_real_experiment_differs_in_what_was_bound() -> None:
    """In nothing else."""
    before = operative(CARTPOLE, "dqn_agent.learning_rate = 0.001")
    now = operative(CARTPOLE, "dqn_agent.learning_rate = 0.002")
    assert list(changes.compare(before, now).values()) == [
        "dqn_agent.learning_rate was 0.001, is 0.002"
    ]


@pytest.mark.parametrize(
    ("name", "before", "now"),
    [
        ("Experiment.environment", "@gym_environment", "@envpool_environment"),
        ("Experiment.agent", "@dqn_agent", "@mine"),
        ("gym_environment.name", "'CartPole-v1'", "'Acrobot-v1'"),
        ("gymnasium_environment.name", "'CartPole-v1'", "'Acrobot-v1'"),
        ("gymnasium_environment.arguments", "{'a': 1}", "{'a': 2}"),
        ("envpool_environment.name", "'CartPole-v1'", "'Acrobot-v1'"),
        ("atari_environment.name", "'Pong-v5'", "'Breakout-v5'"),
        ("observe_only.environment", "@gym_environment", "@mine"),
        ("observe_only.entries", "(0, 2)", "(1, 3)"),
        ("observe_only.factors", "(1, 2)", "(1, 3)"),
        ("observe_only.last_action", "True", "False"),
    ],
)
def test_another_task_is_refused_with_both_values(
    name: str, before: str, now: str
) -> None:
    """What was learned and stored is worth nothing there."""
    with pytest.raises(ConfigurationError) as raised:
        changes.compare(f"{name} = {before}\na.b = 1", f"{name} = {now}\na.b = 2")
    message = str(raised.value)
    assert f"--resume: {name} was {before}, is {now}. " in message
    assert "a.b" not in message
    assert "\n" not in message
