"""experiment/unused.py: bindings that nothing takes are found, and only these.

tests/launch/test_presets_train.py shows that all presets pass.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from experiment import definition, presets, unused
from experiment.errors import ConfigurationError

C51 = presets.PRESETS / "c51_cartpole.gin"
SAC = presets.PRESETS / "sac_pendulum.gin"
DQN = presets.PRESETS / "dqn_cartpole.gin"


def built(path: Path, *bindings: str) -> None:
    """Builds what a server builds of a gin file."""
    experiment = definition.load_file(path, bindings)
    agent, _ = experiment.make_agent(experiment.environment())
    experiment.collect_policy(agent, 0, 2)


@pytest.mark.parametrize(
    ("path", "binding", "instead"),
    [
        (C51, "q_network.dueling = True", "categorical_q_network is called instead"),
        (SAC, "dqn_agent.n_step = 3", "sac_agent is called instead"),
        (SAC, "experiment.agents.dqn.dqn_agent.gamma = 0.9", "sac_agent is called ins"),
        (DQN, "epsilon_ladder.base = 0.5", "nothing in this run takes it; leave it"),
        (DQN, "mine/q_network.dueling = True", "nothing in this run takes it; leave"),
        (DQN, "q_network.observation_spec = 3", "nothing in this run takes it; leave"),
    ],
)
def test_a_binding_of_what_nothing_calls_is_refused(
    path: Path, binding: str, instead: str
) -> None:
    """With its line, and with what is called in its place."""
    built(path, binding)
    with pytest.raises(ConfigurationError) as raised:
        unused.require_used()
    name = binding.partition(" = ")[0]
    said = str(raised.value)
    assert said.startswith(f"{name} is bound (line 2: {binding}), but nothing in this")
    assert instead in said
    assert "\n" not in said


def test_what_is_taken_in_a_scope_is_taken() -> None:
    """Also with the long name, and if what is bound outside of the scope is not."""
    built(
        DQN,
        "dqn_agent.network = @mine/deep/q_network",
        "mine/experiment.networks.q_network.q_network.layers = (8,)",
        "mine/deep/q_network.dueling = True",
        "q_network.layers = (16,)",
        "SIZE = 5",
    )
    unused.require_used()


def test_a_file_may_have_more_than_the_command_line_leaves_of_it(
    tmp_path: Path,
) -> None:
    """Another agent is chosen on top of it; without that, its own lines count."""
    path = tmp_path / "mine.gin"
    path.write_text(f"include '{DQN}'\nsac_agent.gamma = 0.9\n")
    built(path, "Train.steps_per_call = 1")
    with pytest.raises(ConfigurationError, match=r"sac_agent.gamma is bound \(/.*mine"):
        unused.require_used()
    path.write_text(f"include '{DQN}'\nExperiment.agent = @categorical_dqn_agent\n")
    built(path)  # DQN's settings, of the file that is included, have no use.
    unused.require_used()
    built(path, "Experiment.agent = @dqn_agent")
    unused.require_used()
    built(DQN, "Experiment.agent = @categorical_dqn_agent")
    unused.require_used()


def test_what_a_resumed_run_has_bound_before_does_not_count() -> None:
    """Its text has what was included too."""
    definition.load_text("dqn_agent.gamma = 0.9\nsac_agent.gamma = 0.9\n")
    unused.require_used()


def test_functions_of_others_may_be_called_later() -> None:
    """By the learner, say; they are found, and not refused."""
    binding = "SacAgent.gamma = 0.5"
    built(DQN, binding)
    unused.require_used()
    assert [each.place for each in unused.find()] == [f"line 2: {binding}"]
