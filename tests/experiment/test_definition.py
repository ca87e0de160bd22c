"""experiment/definition.py: from gin text to an experiment, and back."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent

from experiment import agents, definition, environments
from experiment.errors import ConfigurationError
from experiment.settings import Replay
from reverb_server.replay_layout import replay_layout
from tests.experiment.made_presets import PRESETS

CARTPOLE = "gym_environment.name = 'CartPole-v1'\n"

# A module of a user, with an environment and a network of their own.
USER_MODULE = """
import gin
from experiment import environments, networks

@gin.configurable
def short_cartpole(steps):
    return environments.gym_environment("CartPole-v0", steps)

@gin.configurable
def narrow(observation_spec, action_spec, units=5):
    return networks.q_network(observation_spec, action_spec, (units,))
"""


@pytest.fixture(scope="module")
def user_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its name; gin takes each configurable only once, so it is one for all tests."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "a_users_module.py").write_text(USER_MODULE)
    sys.path.insert(0, str(folder))
    yield "a_users_module"
    sys.path.remove(str(folder))


def test_without_bindings_the_defaults_hold() -> None:
    """They are those of the code; there is no second home for them."""
    experiment = definition.load_text("")
    assert experiment.replay == Replay()
    assert experiment.environment is environments.gym_environment


def test_text_binds_what_it_names() -> None:
    """Settings, and the functions that build environment and agent."""
    experiment = definition.load_text(
        CARTPOLE + "gym_environment.max_episode_steps = 3\n"
        "Replay.batch_size = 32\nq_network.layers = (7,)\n"
    )
    assert experiment.replay == Replay(batch_size=32)
    environment = experiment.environment()
    environment.reset()
    steps = [environment.step(np.int64(step % 2)) for step in range(3)]
    assert [bool(step.is_last()) for step in steps] == [False, False, True]
    agent, _ = experiment.make_agent(environment)
    assert agent.policy.variables()[0].shape == [4, 7]


def test_what_was_bound_before_is_forgotten() -> None:
    """The text is all there is: a process may read more than one."""
    default = Replay().batch_size  # Now: what is bound holds here too.
    definition.load_text("Replay.batch_size = 32\nTrain.steps_per_call = 2\n")
    experiment = definition.load_text("Train.steps_per_call = 3\n")
    assert experiment.replay.batch_size == default
    assert experiment.train.steps_per_call == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Replay.batch_sise = 64", ["'Replay'", "batch_sise"]),
        ("Repaly.batch_size = 64", ["Repaly"]),
        ("dqn_agent.gama = 1", ["'dqn_agent'", "gama"]),
        ("Experiment.agent = @dqn_agnt", ["@dqn_agnt"]),
        ("Replay.batch_size = %SIZE", ["SIZE"]),
        ("\nReplay.batch_size = ", ["line 2"]),
        ("\n\nReplay.batch_size 64", ["line 3", "64"]),
        ("Replay.batch_size = 2 * 32", ["line 1"]),
        ("import no_such_module", ["no_such_module"]),
        ("include 'no_such.gin'", ["no_such.gin"]),
    ],
)
def test_text_that_gin_cannot_take_is_refused(text: str, words: list[str]) -> None:
    """On one line, with what is wrong and where."""
    with pytest.raises(ConfigurationError) as raised:
        definition.load_text(text)
    message = str(raised.value)
    assert message.startswith("gin: ")
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_a_value_that_cannot_work_is_refused_by_its_gin_name() -> None:
    """The first line is what the user is shown."""
    with pytest.raises(ConfigurationError) as raised:
        definition.load_text("Replay.batch_size = 0")
    first = str(raised.value).splitlines()[0]
    assert first == "Replay.batch_size is 0; it must be a whole number >= 1."


def test_an_environment_without_a_name_is_refused() -> None:
    """When it is made: the user's own needs none."""
    experiment = definition.load_text("")
    with pytest.raises(ConfigurationError, match=r"gym_environment\.name is None"):
        experiment.environment()


@pytest.mark.parametrize(
    "binding",
    [
        "Experiment.environment = 'CartPole-v1'",
        "Experiment.environment = @gym_environment()",
        "Experiment.agent = None",
        "Experiment.collect_policy = 0.1",
    ],
)
def test_what_should_be_a_function_and_is_none_is_refused(binding: str) -> None:
    """Brackets are easily put where none belong."""
    with pytest.raises(ConfigurationError, match=binding.split(" ", maxsplit=1)[0]):
        definition.load_text(CARTPOLE + binding)


def test_bindings_win_over_the_file(tmp_path: Path) -> None:
    """The last one of several; the rest of the file holds."""
    path = tmp_path / "an experiment, isn't it.gin"
    path.write_text("Replay.batch_size = 32\nReplay.max_size = 5_000\n")
    experiment = definition.load_file(
        path, ["Replay.batch_size = 128", "Replay.batch_size = 256"]
    )
    assert experiment.replay == Replay(batch_size=256, max_size=5_000)


def test_a_wrong_binding_is_refused(tmp_path: Path) -> None:
    """As wrong text is."""
    path = tmp_path / "x.gin"
    path.touch()
    with pytest.raises(ConfigurationError, match=r"gin: .*nope"):
        definition.load_file(path, ["Replay.nope = 1"])
    with pytest.raises(ConfigurationError, match=r"gin: .*Replay.batch_size: 1"):
        definition.load_file(path, ["Replay.batch_size: 1"])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A message of gin's."""
    with pytest.raises(ConfigurationError, match=r"gin: .*none\.gin"):
        definition.load_file(tmp_path / "none.gin")


def test_the_error_of_a_file_names_the_file(tmp_path: Path) -> None:
    """There may be several, one including the other."""
    path = tmp_path / "mine.gin"
    path.write_text("\nReplay.nope = 1\n")
    with pytest.raises(ConfigurationError, match=r"mine\.gin") as raised:
        definition.load_file(path)
    assert "line 2" in str(raised.value)


def test_the_effective_text_is_all_that_another_host_needs(
    tmp_path: Path, user_module: str
) -> None:
    """No file, no flag: neither the gin file, nor what it includes, is there."""
    long = "CartPole-v1".rjust(150)
    (tmp_path / "included.gin").write_text(
        f"import {user_module}\nUNITS = 9\nnarrow.units = %UNITS\n"
    )
    path = tmp_path / "mine.gin"
    path.write_text(
        f"include '{tmp_path}/included.gin'\n"
        "Experiment.environment = @short_cartpole\n"
        "short_cartpole.steps = 2\n"
        "dqn_agent.network = @narrow\n"
        "dqn_agent.learning_rate = 1e-5\n"
        f"gym_environment.name = '{long}'\n"
    )
    bindings = ["Replay.samples_per_insert = None", "Train.publish_interval_s = 0.1"]
    here = definition.load_file(path, bindings)
    text = definition.effective_text()
    for file in tmp_path.iterdir():
        file.unlink()
    there = definition.load_text(text)
    assert definition.effective_text() == text
    assert there.replay == here.replay == Replay(samples_per_insert=None)
    assert there.train == here.train
    environment = there.environment()
    environment.reset()
    assert not environment.step(np.int64(0)).is_last()
    assert environment.step(np.int64(1)).is_last()
    agent, _ = there.make_agent(environment)
    assert agent.policy.variables()[0].shape == [4, 9]
    assert float(agent._optimizer.learning_rate) == pytest.approx(1e-5)
    with pytest.raises(ConfigurationError, match=long):
        environments.gym_environment()


def test_the_operative_text_has_the_defaults_that_were_used() -> None:
    """It is kept in the run's folder, and is an experiment itself."""
    experiment = definition.load_text(CARTPOLE + "Replay.batch_size = 32\n")
    experiment.make_agent(experiment.environment())
    text = definition.operative_text()
    assert "dqn_agent.gamma = 0.99\n" in text
    assert "Replay.batch_size = 32\n" in text
    again = definition.load_text(text)
    assert again.replay == experiment.replay
    again.make_agent(again.environment())


def test_the_agent_is_ready_for_a_batched_environment_too() -> None:
    """Specs are of one step; the train step is an int64 that starts from 0."""
    experiment = definition.load_text(CARTPOLE)
    environment = environments.batched(
        experiment.environment, 3, np.random.SeedSequence(0)
    )
    agent, train_step = experiment.make_agent(environment)
    assert agent.time_step_spec.observation.shape == [4]
    assert agent.action_spec.shape == []
    assert train_step.dtype == tf.int64
    assert train_step == 0
    assert agent.train_step_counter is train_step
    for online, target in zip(
        agent._q_network.variables, agent._target_q_network.variables
    ):
        np.testing.assert_array_equal(online, target)  # So it is initialised.


def test_an_agent_that_does_not_count_with_its_train_step_is_refused() -> None:
    """The run would never end, and actors would keep their first weights."""

    def factory(time_step_spec: Any, action_spec: Any, _: Any) -> tf_agent.TFAgent:
        own = tf.Variable(0, dtype=tf.int64)
        return agents.dqn_agent(time_step_spec, action_spec, own)

    experiment = definition.Experiment(agent=factory)
    with pytest.raises(ConfigurationError, match="pass it on as train_step_counter"):
        experiment.make_agent(environments.gym_environment("CartPole-v1"))


def test_there_are_presets() -> None:
    """Else the next test would test nothing."""
    assert PRESETS


@pytest.mark.parametrize("path", PRESETS)
def test_every_preset_builds_its_agent(path: Path) -> None:
    """And a preset binds nothing that is not used."""
    experiment = definition.load_file(path)
    bound = definition.effective_text()
    agent, _ = experiment.make_agent(experiment.environment())
    experiment.collect_policy(agent, 0, 1)
    assert isinstance(agent, tf_agent.TFAgent)
    assert replay_layout(agent, experiment.replay).sequence_length >= 2
    names = re.compile(r"^[\w.]+ =", re.MULTILINE)
    idle = set(names.findall(bound)) - set(names.findall(definition.operative_text()))
    assert names.findall(bound)
    assert not idle
