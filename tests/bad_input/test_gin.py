"""Gin text that is wrong in any way: refused by what the server does first."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any, Callable

import pytest
import reverb

from experiment import (
    agents,
    definition,
    environments,
    envpool_environment,
    exploration,
    gin_text,
    networks,
    settings,
)
from experiment.errors import ConfigurationError
from reverb_server import tables

CARTPOLE = "gym_environment.name = 'CartPole-v1'\n"

# What has to be bound for a factory to be called at all.
USED_BY = {
    "epsilon_ladder": "Experiment.collect_policy = @epsilon_ladder\n",
    "envpool_environment": "Experiment.environment = @envpool_environment\n"
    "envpool_environment.name = 'CartPole-v1'\n",
}


def build(text: str) -> list[reverb.Table]:
    """What a server builds, and an actor's policy."""
    experiment = definition.load_text(text)
    agent, train_step = experiment.make_agent(experiment.environment())
    experiment.collect_policy(agent, 1, 2)
    return tables.make_tables(experiment, agent, train_step, 2, "r/1")


def refusal(text: str) -> str:
    """The one line that a user is shown."""
    with pytest.raises(ConfigurationError) as raised:
        build(text)
    return str(raised.value).splitlines()[0]


def parameters() -> list[tuple[str, Any]]:
    """All parameters of numbers, words and switches, with their defaults."""
    found: list[tuple[str, Any]] = [
        (f"{kind.__name__}.{field.name}", field.default)
        for kind in (
            settings.Replay,
            settings.Collect,
            settings.Train,
            settings.Evaluation,
        )
        for field in dataclasses.fields(kind)
    ]
    factories: list[Callable[..., Any]] = [
        agents.dqn_agent,
        networks.q_network,
        environments.gym_environment,
        envpool_environment.envpool_environment,
        exploration.epsilon_ladder,
    ]
    for factory in factories:
        for parameter in inspect.signature(factory).parameters.values():
            if parameter.default is not parameter.empty:
                name = f"{factory.__name__}.{parameter.name}"
                found.append((name, parameter.default))
    return found


@pytest.mark.parametrize(
    "value",
    ["'x'", "{'a': 1}", "@agent_collect_policy", "True", "1e999", "-1e999", "-1"],
)
@pytest.mark.parametrize(
    ("parameter", "default"), parameters(), ids=[name for name, _ in parameters()]
)
def test_no_setting_takes_a_value_of_another_kind(
    parameter: str, default: Any, value: str
) -> None:
    """Gin checks none; the message begins with the parameter."""
    if (value == "True" and isinstance(default, bool)) or (
        value == "-1" and parameter == "Evaluation.target_return"
    ):
        return
    used = USED_BY.get(parameter.split(".", maxsplit=1)[0], "")
    message = refusal(f"{CARTPOLE}{used}{parameter} = {value}")
    assert message.startswith((f"{parameter} is ", f"each of {parameter} is ")), message
    assert "must be" in message or "which" in message


@pytest.mark.parametrize(
    ("binding", "said"),
    [
        ("dqn_agent.learning_rate = 0", "is 0; it must be a number > 0."),
        ("dqn_agent.gamma = 1.1", "is 1.1; it must be a number >= 0 and <= 1."),
        ("dqn_agent.epsilon_greedy = 2", "it must be a number >= 0 and <= 1."),
        ("dqn_agent.target_update_tau = 0", "it must be a number > 0 and <= 1."),
        ("dqn_agent.loss = 'hubert'", "one of ['huber', 'squared']"),
        ("Replay.batch_size = 0", "it must be a whole number >= 1."),
        ("Replay.transitions_per_item = 7", "it must divide Replay.batch_size (64)"),
        ("Replay.samples_per_insert = 0", "it must be a number > 0 and <= 1000000."),
        ("Train.publish_interval_s = 1e10", "> 0 and <= 1000000000."),
        (f"Replay.max_size = {10**30}", "whole number >= 1 and <= 9223372036854775807"),
        (f"dqn_agent.learning_rate = {10**400}", "and <= 9223372036854775807."),
    ],
)
def test_what_is_out_of_range(binding: str, said: str) -> None:
    """With what is allowed."""
    message = refusal(CARTPOLE + binding)
    assert message.startswith(binding.split(" ", maxsplit=1)[0])
    assert said in message


def test_a_tolerance_that_would_block_both_sides_is_told_with_one_that_would_not() -> (
    None
):
    """The value in the message is taken."""
    wrong = f"{CARTPOLE}Replay.samples_per_insert_tolerance = "
    message = refusal(f"{wrong}100")
    assert "Replay.samples_per_insert_tolerance is 100" in message
    smallest = int(message.partition(">= ")[2].partition(",")[0])
    assert "is" in refusal(f"{wrong}{smallest - 1}")
    build(f"{wrong}{smallest}")


def test_a_first_sample_that_never_comes_is_told_with_a_size_that_would_do() -> None:
    """The random steps do not fit into the table."""
    text = f"{CARTPOLE}Replay.min_size_to_sample = 10\nReplay.max_size = "
    message = refusal(f"{text}500")
    assert "Replay.max_size is 500, but the first sample waits for 1000" in message
    build(f"{text}1000")
    message = refusal(f"{text}5")
    assert "Replay.min_size_to_sample (10) is larger than" in message


@pytest.mark.parametrize(
    ("binding", "said"),
    [
        ("trian.steps_per_call = 1", "No configurable matching 'trian'"),
        ("Train.steps_per_cal = 1", "doesn't have a parameter named 'steps_per_cal'"),
        ("Experiment.agent = @sac", "No configurable matching reference '@sac'"),
        ("Experiment.replay = 5", "Experiment.replay is 5; leave it out"),
        ("Experiment.train = @Replay()", "bind the parameters of Train instead"),
        ("Experiment.agent = 5", "Experiment.agent is 5; it must be a function"),
        ("Experiment.agent = @gym_environment", "which takes 2 arguments; it must"),
        ("Experiment.environment = @dqn_agent", "with 0 arguments and needs action_s"),
        ("Experiment.environment = @Replay", "makes Replay("),
        ("dqn_agent.network = 'q_network'", "dqn_agent.network is 'q_network'"),
        ("dqn_agent.network = @q_network()", "take away brackets"),
        ("gym_environment.name = 'CartPole'", "did you mean CartPole-v"),
        ("gym_environment.name = 'CartPole-v9'", "did you mean CartPole-v"),
        ("gym_environment.name = 'Pendulum-v1'", "float32[1] in [-2.0, 2.0]"),
        ("import no_such_module", "No module named 'no_such_module'"),
    ],
)
def test_what_does_not_exist_or_does_not_fit(binding: str, said: str) -> None:
    """By name, and with what would do where that is known."""
    assert said in refusal(CARTPOLE + binding)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Replay.batch_size", "expected ':' or '='"),
        ("Replay.batch_size = ", "Unable to parse value"),
        ("Replay.batch_size = nan", "Failed to parse token 'nan'"),
        ("Replay.batch_size = 2 * 32", "Expected newline"),
        ("q_network.layers = [1 2]", "Expected ',' or ']'"),
        ("Replay.batch_size = %SIZE", "%SIZE has no value"),
        ("dqn_agent.gamma = %GAMMA", "%GAMMA has no value"),
        ("dqn_agent: gamma = 1", "Expected newline"),
        ("include 'no_such.gin'", "Unable to open file: no_such.gin"),
        ("include '{path}'", "includes itself"),
    ],
)
def test_wrong_text_is_told_with_its_file_and_line(
    line: str, said: str, tmp_path: Path
) -> None:
    """Also in a file that the file includes, and of values that are used much later."""
    path = tmp_path / "mine.gin"
    path.write_text(f"{CARTPOLE}\n{line.format(path=path)}\n")
    outer = tmp_path / "outer.gin"
    outer.write_text(f"include '{path}'\n")
    for file in (path, outer):
        message = refusal(gin_text.text_of(file, []))
        assert message.startswith("gin: ")
        assert said in message
        assert "mine.gin" in message
        assert "line 3" in message


def test_a_macro_in_a_block_is_told_with_its_own_line(tmp_path: Path) -> None:
    """Not that of the block; and also inside of a list."""
    path = tmp_path / "mine.gin"
    path.write_text("q_network:\n  layers = (%A, [%B])\nA = 3\n")
    message = refusal(gin_text.text_of(path, []))
    assert f"%B has no value ({path}, line 2: layers" in message


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a.b = (1,\n2", b"a.b = 'x"])
def test_a_file_that_is_no_text_or_ends_too_soon(
    content: bytes, tmp_path: Path
) -> None:
    """Brackets that nobody closes are seen at the end only."""
    path = tmp_path / "mine.gin"
    path.write_bytes(content)
    message = refusal(gin_text.text_of(path, []))
    assert message.startswith("gin: ")
    assert str(path) in message


def test_macros_constants_and_scopes_of_gin_are_taken() -> None:
    """What is right is not refused."""
    build(
        "ENV = 'CartPole-v1'\nSIZE = %OTHER\nOTHER = 64\n"
        "Replay.batch_size = %SIZE\n"
        "Experiment.environment = @small/gym_environment\n"
        "small/gym_environment.name = %ENV\n"
        "dqn_agent.network = @q_network\n"
        "Experiment.replay = @Replay()\n"
        "Experiment.collect_policy = @epsilon_ladder\n"
        "epsilon_ladder:\n  base = 0.5\n  exponent = 3\n"
    )
