"""learner/policy_export.py: SavedModels, loaded as users load them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.policies import policy_loader, policy_saver
from tf_agents.trajectories import time_step as ts

from experiment import definition
from learner.policy_export import PolicyExporter
from tests.learner.conftest import CARTPOLE

NAMES = {"greedy_policy", "collect_policy", "policy"}


@dataclasses.dataclass(frozen=True)
class Exporting:
    """An exporter, and what it exports."""

    exporter: PolicyExporter
    agent: tf_agent.TFAgent
    train_step: tf.Variable
    policies: Path

    def visible(self) -> set[str]:
        """What a user sees in the folder."""
        found = self.policies.glob("*")
        return {path.name for path in found if not path.name.startswith(".")}

    def always(self, action: int, train_step: int) -> None:
        """Makes the agent prefer one action, whatever it sees."""
        for variable in self.agent.policy.variables():
            variable.assign(tf.zeros_like(variable))
        self.agent.policy.variables()[-1].assign(tf.one_hot(action, 2))
        self.train_step.assign(train_step)


@pytest.fixture
def exporting(tmp_path: Path) -> Exporting:
    """Of an untrained agent."""
    experiment = definition.load_text(CARTPOLE)
    agent, train_step = experiment.make_agent(experiment.environment())
    exporter = PolicyExporter(agent, train_step, tmp_path)
    return Exporting(exporter, agent, train_step, tmp_path / "policies")


def observations(count: int) -> np.ndarray:
    """All kinds of them."""
    numbers = np.random.default_rng(0).normal(size=(count, 4))
    return numbers.astype(np.float32)


def loaded_actions(path: Path, count: int) -> list[int]:
    """What a policy that was loaded does with each of these observations."""
    policy = policy_loader.load(str(path))
    return [
        int(policy.action(ts.restart(observation)).action)
        for observation in observations(count)
    ]


def test_the_policies_act_as_the_agent_does(exporting: Exporting) -> None:
    """Under TF-Agents' names: the greedy one exactly, the others explore."""
    exporting.train_step.assign(1_234)
    # Some of both actions, with weights in which a mistake would show.
    for variable in exporting.agent.policy.variables():
        variable.assign(tf.random.stateless_normal(variable.shape, seed=(1, 2)))
    exporting.exporter.export()
    assert exporting.visible() == NAMES
    time_steps = ts.restart(tf.constant(observations(100)), batch_size=100)
    own = exporting.agent.policy.action(time_steps).action.numpy().tolist()
    assert 10 < sum(own) < 90
    assert loaded_actions(exporting.policies / "greedy_policy", 100) == own
    exploring = loaded_actions(exporting.policies / "collect_policy", 100)
    assert 0 < sum(a != b for a, b in zip(own, exploring)) < 30  # ε is 0.1.
    # The raw policy takes Q-values for logits.
    raw = loaded_actions(exporting.policies / "policy", 100)
    assert 0 < sum(a != b for a, b in zip(own, raw)) < 60
    loaded = policy_loader.load(str(exporting.policies / "greedy_policy"))
    assert int(loaded.get_train_step()) == 1_234


PENDULUM = """
gym_environment.name = 'Pendulum-v1'
Experiment.agent = @{name}_agent
deterministic_actor_network.layers = (8,)
stochastic_actor_network.layers = (8,)
"""


@pytest.mark.parametrize(("name", "is_random"), [("sac", True), ("ddpg", False)])
def test_actions_of_real_numbers_are_exported(
    name: str, is_random: bool, tmp_path: Path
) -> None:
    """The greedy policy draws nothing; SAC's own does; that which explores has a state.

    The state of DDPG's noise is not with the weights: it belongs to an environment.
    """
    experiment = definition.load_text(PENDULUM.format(name=name))
    agent, train_step = experiment.make_agent(experiment.environment())
    PolicyExporter(agent, train_step, tmp_path).export()
    step = ts.restart(np.array([0.5, -0.5, 2.0], np.float32))
    own, _ = agent._actor_network(step.observation[np.newaxis])
    wanted = own.mode() if is_random else own
    drawn = {}
    for each in NAMES:
        policy = policy_loader.load(str(tmp_path / "policies" / each))
        state, actions = policy.get_initial_state(batch_size=1), []
        for _ in range(3):
            action, state, _ = policy.action(step, state)
            actions.append(float(action[0]))
        drawn[each] = actions
    np.testing.assert_allclose(drawn["greedy_policy"], float(wanted[0, 0]), rtol=1e-5)
    assert len(set(drawn["collect_policy"])) == 3
    assert len(set(drawn["policy"])) == (3 if is_random else 1)


class Failing:
    """A saver that dies after half of its work, as on a full disk."""

    def __init__(self, saver: policy_saver.PolicySaver) -> None:
        self._saver = saver

    def save(self, path: str) -> None:
        """Leaves a folder without its weights."""
        self._saver.save(path)
        for part in (Path(path) / "variables").iterdir():
            part.unlink()
        raise OSError("no space left on device")


def test_a_later_export_replaces_the_earlier_when_it_is_complete(
    exporting: Exporting,
) -> None:
    """Until then, and if it fails, the earlier one is there, whole."""
    exporting.always(0, train_step=10)
    exporting.exporter.export()
    savers = exporting.exporter._savers
    sound = dict(savers)
    savers.update({name: Failing(saver) for name, saver in sound.items()})
    exporting.always(1, train_step=20)
    with pytest.raises(OSError, match="no space"):
        exporting.exporter.export()
    assert exporting.visible() == NAMES
    assert loaded_actions(exporting.policies / "greedy_policy", 10) == [0] * 10
    savers.update(sound)
    exporting.exporter.export()
    assert loaded_actions(exporting.policies / "greedy_policy", 10) == [1] * 10
    assert {path.name for path in exporting.policies.iterdir()} == NAMES


class Looking:
    """A saver that looks at the folder when it has saved."""

    def __init__(self, saver: policy_saver.PolicySaver, exporting: Exporting) -> None:
        self._saver = saver
        self._exporting = exporting
        self.seen: set[str] = set()

    def save(self, path: str) -> None:
        """Saves, and looks."""
        self._saver.save(path)
        self.seen = self._exporting.visible()


def test_nothing_is_visible_before_it_is_complete(exporting: Exporting) -> None:
    """Each policy gets its name in the end."""
    savers = exporting.exporter._savers
    lookers = {name: Looking(saver, exporting) for name, saver in savers.items()}
    savers.update(lookers)
    exporting.exporter.export()
    names = list(lookers)
    assert set(names) == NAMES
    for number, looker in enumerate(lookers.values()):
        assert looker.seen == set(names[:number])
