"""learner/learning_agent.py: an agent whose hidden layers are mixed, and its twin."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.policies import policy_loader
from tf_agents.trajectories import time_step as ts

from experiment import definition
from experiment.errors import ConfigurationError
from learner import learning_agent
from learner.compiled_agent import CompiledAgent
from learner.learning_agent import LearningAgent
from learner.policy_export import PolicyExporter
from learner.trainer import Trainer
from tests.learner.conftest import CARTPOLE, Learning, run_until
from tests.learner.test_compiled_agent import PENDULUM, experience
from tests.reverb_server.waiting import wait_until

MIXED = "\nTrain.mixed_precision = True\n"
C51 = """
gym_environment.name = 'CartPole-v1'
Experiment.agent = @categorical_dqn_agent
"""
PPO = """
gym_environment.name = 'CartPole-v1'
Experiment.agent = @ppo_agent
"""


def make(text: str) -> LearningAgent:
    """For one device."""
    experiment = definition.load_text(text + MIXED)
    return learning_agent.make(
        experiment, experiment.environment(), tf.distribute.get_strategy()
    )


@pytest.mark.parametrize(
    ("text", "jit_compile"),
    [
        (CARTPOLE, True),
        (C51, False),
        (PPO, False),
        (PENDULUM.format(name="sac"), True),
        (PENDULUM.format(name="ddpg"), False),
    ],
)
def test_agents_learn_in_mixed_precision(text: str, jit_compile: bool) -> None:
    """Of all kinds; what they have learned is float32."""
    learning = make(text)
    agent = learning.agent
    before = [variable.numpy() for variable in agent.collect_policy.variables()]
    loss = CompiledAgent(agent, jit_compile, 2).train(experience(agent)).loss
    assert np.isfinite(loss)
    after = [variable.numpy() for variable in agent.collect_policy.variables()]
    assert {each.dtype for each in after} == {np.dtype(np.float32)}
    assert all(np.isfinite(each).all() for each in after)
    assert any((one != other).any() for one, other in zip(before, after))


def test_what_is_exported_is_the_policy_that_actors_have(tmp_path: Path) -> None:
    """float32, with the weights in training: not those that it was made with."""
    learning = make(CARTPOLE)
    exported, step = learning.exact
    assert exported is not learning.agent
    learning.train_step.assign(12)
    for variable in learning.agent.policy.variables():
        variable.assign(tf.random.stateless_normal(variable.shape, seed=(1, 2)))
    PolicyExporter(exported, step, tmp_path, learning.refresh).export()
    policy = policy_loader.load(str(tmp_path / "policies" / "greedy_policy"))
    assert int(policy.get_train_step()) == 12
    experiment = definition.load_text(CARTPOLE)
    actor, _ = experiment.make_agent(experiment.environment())
    pairs = zip(actor.policy.variables(), learning.agent.policy.variables())
    for own, other in pairs:
        own.assign(other)
    for observation in np.random.default_rng(0).normal(size=(50, 4)):
        step_now = ts.restart(observation.astype(np.float32))
        batched = ts.restart(tf.constant([observation], tf.float32), batch_size=1)
        wanted = int(actor.policy.action(batched).action[0])
        assert int(policy.action(step_now).action) == wanted


def test_without_a_wish_there_is_one_agent_only() -> None:
    """A second one would cost time and memory."""
    experiment = definition.load_text(CARTPOLE)
    learning = learning_agent.make(
        experiment, experiment.environment(), tf.distribute.get_strategy()
    )
    assert learning.exact[0] is learning.agent


def test_what_xla_cannot_mix_is_answered_with_the_remedy(
    learning: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TD3 trains its actor in a condition; on a processor XLA then breaks down."""
    trainer: Trainer = learning.build()
    learning.fill(policy_train_step=0)
    td3 = make(f"{PENDULUM.format(name='td3')}Train.jit_compile = False\n").agent
    batches = experience(td3)
    compiled = CompiledAgent(td3, jit_compile=True)
    monkeypatch.setattr(trainer._learner, "run", lambda *_: compiled.train(batches))
    with pytest.raises(ConfigurationError, match=r"set Train\.mixed_precision"):
        run_until(trainer, 4)


def test_td3_in_mixed_precision_is_refused_before_it_is_compiled() -> None:
    """At the start of the learner, which alone knows its device."""
    with pytest.raises(ConfigurationError, match=r"as TD3's do; set Train\.mixed_prec"):
        make(PENDULUM.format(name="td3"))


def test_layers_that_cannot_be_mixed_are_refused() -> None:
    """Of a recurrent network, which is TF-Agents' own."""
    with pytest.raises(ConfigurationError, match="no layer of RecurrentDqnAgent"):
        make(f"{CARTPOLE}dqn_agent.network = @recurrent_q_network\n")


def test_weights_travel_as_those_of_any_learner(learning: Learning) -> None:
    """The server's tables are those of exact agents."""
    mixed = dataclasses.replace(
        learning,
        experiment=dataclasses.replace(
            learning.experiment,
            train=dataclasses.replace(learning.experiment.train, mixed_precision=True),
        ),
    )
    learning.fill(policy_train_step=0)
    trainer = mixed.build()
    run_until(trainer, 4)
    trainer.publish()
    wait_until(lambda: learning.publications() == 1)
