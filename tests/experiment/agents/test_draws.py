"""experiment/agents/draws.py: what gradient steps draw follows the run's seed."""

from __future__ import annotations

from typing import Callable

import pytest
import tensorflow as tf
from tf_agents.agents import tf_agent

from experiment import agents
from experiment.agents.draws import Draws
from experiment.seeding import seed_role
from tests.experiment.agents import continuous


def numbers(seed: int, jit_compile: bool) -> list[list[float]]:
    """Drawn at two places of a graph, in two gradient steps."""
    seed_role(seed, "learner")
    train_step = tf.Variable(0, dtype=tf.int64)
    draws = Draws(train_step)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def draw() -> list[tf.Tensor]:
        drawn = [tf.random.stateless_normal([], draws.seed()) for _ in range(2)]
        train_step.assign_add(1)
        return drawn

    return [[float(each) for each in draw()] for _ in range(2)]


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_seed_gives_the_same_numbers_again(jit_compile: bool) -> None:
    """Other ones at each place and in each step, and for another seed."""
    first, again, other = (numbers(seed, jit_compile) for seed in (1, 1, 2))
    assert first == again
    flat = [number for row in (*first, *other) for number in row]
    assert len(set(flat)) == 8


def losses(factory: Callable[..., tf_agent.TFAgent], seed: int) -> list[float]:
    """Of two gradient steps that XLA compiles, of always the same first weights."""
    agent = continuous.built(factory)
    agent._draws._seed = seed
    train = tf.function(agent.train, jit_compile=True, autograph=False)
    return [float(train(continuous.a_batch()).loss) for _ in range(2)]


@pytest.mark.parametrize("factory", [agents.sac_agent, agents.td3_agent])
def test_compiled_agents_heed_the_seed(
    factory: Callable[..., tf_agent.TFAgent],
) -> None:
    """XLA's own generator would draw the same for all seeds."""
    first = losses(factory, seed=1)
    assert losses(factory, seed=1) == pytest.approx(first, rel=1e-6)
    assert losses(factory, seed=2) != pytest.approx(first, rel=1e-5)
