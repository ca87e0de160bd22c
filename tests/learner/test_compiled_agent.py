"""learner/compiled_agent.py: the same gradient steps, in one call."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.networks import network
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment import definition, seeding
from learner.compiled_agent import CompiledAgent

CARTPOLE = """
gym_environment.name = 'CartPole-v1'
q_network.layers = (8,)
dqn_agent.double_q = True
dqn_agent.target_update_period = 3
"""
DUELING = "q_network.dueling = True"
PENDULUM = """
gym_environment.name = 'Pendulum-v1'
Experiment.agent = @{name}_agent
{name}_agent.target_update_period = 3
td3_agent.target_policy_noise = 0.0  # So that it draws nothing.
deterministic_actor_network.layers = (8,)
stochastic_actor_network.layers = (8,)
critic_network.layers = (8,)
"""
CONTINUOUS = ("sac", "td3", "ddpg")
BATCHES, BATCH_SIZE = 5, 16


def agent_of_seed(seed: int, text: str = CARTPOLE) -> tf_agent.TFAgent:
    """With its initial weights."""
    seeding.seed_role(seed, "learner")
    experiment = definition.load_text(text)
    agent, _ = experiment.make_agent(experiment.environment())
    agent.initialize()
    return agent


def experience(agent: tf_agent.TFAgent, batches: int = BATCHES) -> types.NestedTensor:
    """Some, of the right shapes."""
    random = np.random.default_rng(0)
    shape = (batches, BATCH_SIZE, 2)

    def column(spec: tf.TensorSpec) -> tf.Tensor:
        if spec.dtype.is_floating:
            return tf.constant(random.random((*shape, *spec.shape)), spec.dtype)
        return tf.constant(random.integers(0, 2, (*shape, *spec.shape)), spec.dtype)

    return tf.nest.map_structure(column, agent.collect_data_spec)


def weights(agent: tf_agent.TFAgent) -> list[np.ndarray]:
    """Of all networks, those of the targets too."""
    found = (value for value in vars(agent).values())
    networks = [each for each in found if isinstance(each, network.Network)]
    assert len(networks) > 1
    return [variable.numpy() for each in networks for variable in each.variables]


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    "text", [CARTPOLE, *(PENDULUM.format(name=name) for name in ("td3", "ddpg"))]
)
def test_it_takes_the_steps_that_the_agent_would_take(
    text: str, jit_compile: bool
) -> None:
    """One after another; the target network follows in between; all are counted."""
    one, many = agent_of_seed(1, text), agent_of_seed(1, text)
    batches = experience(one)
    losses = [
        float(one.train(tf.nest.map_structure(lambda c, n=n: c[n], batches)).loss)
        for n in range(BATCHES)
    ]
    loss = CompiledAgent(many, jit_compile).train(batches).loss
    assert int(many.train_step_counter) == BATCHES
    assert float(loss) == pytest.approx(np.mean(losses), rel=1e-4)
    for first, second in zip(weights(one), weights(many)):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("text", [CARTPOLE, CARTPOLE + DUELING])
def test_samples_count_as_much_as_their_weights_say(
    text: str, jit_compile: bool
) -> None:
    """Those of prioritized replay; and each sample's error is told."""
    one, many = agent_of_seed(1, text), agent_of_seed(1, text)
    batches = experience(one)
    importance = tf.random.stateless_uniform([BATCHES, BATCH_SIZE], [1, 2])
    errors = []
    for number in range(BATCHES):
        batch = tf.nest.map_structure(lambda c, n=number: c[n], batches)
        errors.append(np.abs(one.train(batch, importance[number]).extra.td_error))
    compiled = CompiledAgent(many, jit_compile, largest_priority=tf.Variable(1.0))
    loss_info = compiled.train((batches, importance))
    np.testing.assert_allclose(loss_info.extra, errors, rtol=1e-3, atol=1e-5)
    for first, second in zip(weights(one), weights(many)):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)
    unweighted = agent_of_seed(1, text)
    CompiledAgent(unweighted, jit_compile).train(batches)
    pairs = zip(weights(many), weights(unweighted))
    assert not all(np.allclose(*pair, rtol=1e-2, atol=1e-4) for pair in pairs)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_agents_that_draw_numbers_learn(name: str, jit_compile: bool) -> None:
    """All that a step changes has changed, and new numbers are drawn in each step.

    The batches are one and the same, so what a critic misses falls.
    """
    text = PENDULUM.replace("= 0.0", "= 0.2").format(name=name)
    agent = agent_of_seed(1, f"{text}{name}_agent.critic_learning_rate = 1e-2\n")
    first = weights(agent)
    same = tf.nest.map_structure(
        lambda column: tf.repeat(column[:1], 40, axis=0), experience(agent)
    )
    compiled = CompiledAgent(agent, jit_compile)
    losses = []
    for _ in range(5):
        batch = tf.nest.map_structure(lambda column: column[0], same)
        losses.append(float(agent.train(batch).extra.critic_loss))
        compiled.train(same)
    assert losses[-1] < losses[0] / 2
    assert int(agent.train_step_counter) == 5 * 41
    now = weights(agent)
    assert all(np.isfinite(each).all() for each in now)
    assert all((one != other).any() for one, other in zip(first, now))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_each_step_draws_numbers_of_its_own(jit_compile: bool) -> None:
    """From step to step and call to call."""
    agent = agent_of_seed(1, PENDULUM.format(name="sac"))

    def train(experience: types.NestedTensor) -> tf_agent.LossInfo:
        step = ts.restart(experience.observation[:, 0], BATCH_SIZE)
        total = tf.reduce_sum(agent._actions_and_log_probs(step)[0])
        place = tf.cast(agent.train_step_counter, tf.int32)
        sums.assign(tf.tensor_scatter_nd_update(sums, [[place]], [total]))
        agent.train_step_counter.assign_add(1)
        return tf_agent.LossInfo(total, ())

    sums = tf.Variable(tf.zeros([2 * BATCHES]))
    batches = experience(agent)
    same = tf.nest.map_structure(lambda column: column[:1], batches)
    same = tf.nest.map_structure(lambda c: tf.repeat(c, BATCHES, axis=0), same)
    agent.train = train
    compiled = CompiledAgent(agent, jit_compile)
    for _ in range(2):
        compiled.train(same)
    assert len(set(sums.numpy().tolist())) == 2 * BATCHES


def test_any_number_of_batches_is_taken_without_another_trace() -> None:
    """The last call of a run takes what is left."""
    agent = agent_of_seed(1)
    compiled = CompiledAgent(agent, jit_compile=True)
    compiled.train(experience(agent))  # Traced twice: the first makes variables.
    for batches in (1, 3):
        compiled.train(experience(agent, batches))
    assert int(agent.train_step_counter) == BATCHES + 1 + 3
    assert compiled._take_steps.experimental_get_tracing_count() == 2


def gathered(agent: tf_agent.TFAgent) -> list[tf.Variable]:
    """What the optimizers have gathered, in an order that is the same in each agent."""
    if not hasattr(agent, "_alpha_optimizer"):
        kind = tf.keras.optimizers.Optimizer
        optimizers = [each for each in vars(agent).values() if isinstance(each, kind)]
        return [variable for each in optimizers for variable in each.variables()]
    critics = (agent._critic_network_1, agent._critic_network_2)
    pairs = (  # TF-Agents turns the optimizers of SAC into those of the older kind.
        (agent._actor_optimizer, agent._actor_network.variables),
        (agent._critic_optimizer, critics[0].variables + critics[1].variables),
        (agent._alpha_optimizer, [agent._log_alpha]),
    )
    return [
        optimizer.get_slot(variable, name)
        for optimizer, variables in pairs
        for variable in variables
        for name in ("m", "v")
    ]


@pytest.mark.parametrize(
    "text", [CARTPOLE, *(PENDULUM.format(name=name) for name in CONTINUOUS)]
)
def test_its_checkpoint_has_all_of_the_agent(tmp_path: object, text: str) -> None:
    """Weights of all networks, and what the optimizers have gathered."""
    agent, other = agent_of_seed(1, text), agent_of_seed(2, text)
    compiled = CompiledAgent(agent, jit_compile=False)
    compiled.train(experience(agent))
    path = tf.train.Checkpoint(agent=compiled).save(f"{tmp_path}/ckpt")
    restored = CompiledAgent(other, jit_compile=False)
    restored.train(experience(other))
    tf.train.Checkpoint(agent=restored).restore(path).assert_consumed()
    assert gathered(agent)
    for found in (weights, gathered):
        for first, second in zip(found(agent), found(other)):
            np.testing.assert_array_equal(first, second)
    if hasattr(agent, "_log_alpha"):
        assert float(agent._log_alpha) == float(other._log_alpha) != 0
