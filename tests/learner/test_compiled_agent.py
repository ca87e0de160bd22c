"""learner/compiled_agent.py: the same gradient steps, in one call."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.typing import types

from experiment import definition, seeding
from learner.compiled_agent import CompiledAgent

CARTPOLE = """
gym_environment.name = 'CartPole-v1'
q_network.layers = (8,)
dqn_agent.double_q = True
dqn_agent.target_update_period = 3
"""
BATCHES, BATCH_SIZE = 5, 16


def agent_of_seed(seed: int) -> tf_agent.TFAgent:
    """With its initial weights."""
    seeding.seed_role(seed, "learner")
    experiment = definition.load_text(CARTPOLE)
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
    """Of both networks."""
    networks = (agent._q_network, agent._target_q_network)
    return [variable.numpy() for each in networks for variable in each.variables]


@pytest.mark.parametrize("jit_compile", [False, True])
def test_it_takes_the_steps_that_the_agent_would_take(jit_compile: bool) -> None:
    """One after another; the target network follows in between; all are counted."""
    one, many = agent_of_seed(1), agent_of_seed(1)
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


def test_any_number_of_batches_is_taken_without_another_trace() -> None:
    """The last call of a run takes what is left."""
    agent = agent_of_seed(1)
    compiled = CompiledAgent(agent, jit_compile=True)
    compiled.train(experience(agent))  # Traced twice: the first makes variables.
    for batches in (1, 3):
        compiled.train(experience(agent, batches))
    assert int(agent.train_step_counter) == BATCHES + 1 + 3
    assert compiled._take_steps.experimental_get_tracing_count() == 2


def test_its_checkpoint_has_all_of_the_agent(tmp_path: object) -> None:
    """Weights of both networks, and what the optimizer has gathered."""
    agent, other = agent_of_seed(1), agent_of_seed(2)
    compiled = CompiledAgent(agent, jit_compile=False)
    compiled.train(experience(agent))
    path = tf.train.Checkpoint(agent=compiled).save(f"{tmp_path}/ckpt")
    restored = CompiledAgent(other, jit_compile=False)
    restored.train(experience(other))
    tf.train.Checkpoint(agent=restored).restore(path).assert_consumed()
    optimizers = (agent._optimizer.variables(), other._optimizer.variables())
    for first, second in (*zip(weights(agent), weights(other)), *zip(*optimizers)):
        np.testing.assert_array_equal(first, second)
