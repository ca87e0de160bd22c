"""reverb_server/priorities.py: against what Schaul et al. (2015) have on paper."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest
import reverb
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.agents.dqn import dqn_agent

from experiment import definition
from experiment.errors import ConfigurationError
from experiment.settings import Replay
from reverb_server import priorities, replay_layout, tables
from reverb_server.rate_limiter import STACK
from reverb_server.replay_dataset import replay_dataset
from reverb_server.replay_layout import ReplayLayout
from reverb_server.replay_writer import ReplayWriter
from tests.reverb_server.conftest import Built, Serve, Served
from tests.reverb_server.episodes import batches, experience
from tests.reverb_server.waiting import wait_until

BATCH = 50
# Of one item each; one is never sampled.
PRIORITIES = np.array([1.0, 2.0, 0.5, 8.0, 0.0, 3.0, 1e-3, 20.0], np.float32)


class Prioritized(NamedTuple):
    """A table of `PRIORITIES`, in the order of the times of their observations."""

    served: Served
    layout: ReplayLayout


def fill(serve: Serve, cartpole: Built, exponent: float) -> Prioritized:
    """Serves a table that samples by these priorities."""
    settings = Replay(priority_exponent=exponent, transitions_per_item=1)
    layout = replay_layout.replay_layout(cartpole.agent, settings)
    table = reverb.Table(
        tables.REPLAY,
        sampler=priorities.sampler(settings),
        remover=reverb.selectors.Fifo(),
        max_size=100,
        rate_limiter=reverb.rate_limiters.MinSize(len(PRIORITIES)),
        signature={"steps": layout.signature},
    )
    served = serve([table])
    priority = tf.Variable(1.0)
    writer = ReplayWriter(served.client, layout, 1, lambda: True, priority)
    rounds = experience([[len(PRIORITIES)]])[:-1]
    for number, steps in enumerate(batches([*rounds, *experience([[1]])[-1:]])):
        # The step that ends a transition writes its item.
        priority.assign(PRIORITIES[max(number - 1, 0)])
        writer(steps)
    wait_until(
        lambda: served.info(tables.REPLAY).current_size == len(PRIORITIES),
    )
    return Prioritized(served, layout)


@pytest.mark.parametrize("exponent", [0.6, 1.0])
def test_items_are_sampled_as_often_as_their_priorities_say(
    serve: Serve, cartpole: Built, exponent: float
) -> None:
    """P(i) = p_i^a / sum of p^a, equation 1; and each sample has its weight.

    w_i = (1 / (N P(i)))^b, divided by the largest of the batch, section 3.4.
    """
    served, layout = fill(serve, cartpole, exponent)
    dataset = replay_dataset(served.address, layout, BATCH, importance_exponent=0.7)
    stacks = 100
    chances = PRIORITIES.astype(float) ** exponent
    chances /= chances.sum()
    with np.errstate(divide="ignore"):
        all_weights = (len(PRIORITIES) * chances) ** -0.7
    counts = np.zeros(len(PRIORITIES))
    for steps, info in itertools.islice(dataset.as_numpy_iterator(), stacks):
        items = steps.observation[:, :, 0, 2].astype(int)
        counts += np.bincount(items.ravel(), minlength=len(PRIORITIES))
        wanted = all_weights[items]
        wanted /= wanted.max(axis=-1, keepdims=True)
        np.testing.assert_allclose(info.weights, wanted, rtol=1e-5)
    total = stacks * STACK * BATCH
    assert counts.sum() == total
    deviations = np.sqrt(total * chances * (1 - chances))
    assert np.all(np.abs(counts - total * chances) <= 5 * deviations)
    assert counts[PRIORITIES == 0] == 0


def test_keys_name_the_items(serve: Serve, cartpole: Built) -> None:
    """By them they get other priorities: one gets such that nothing else is sampled."""
    served, layout = fill(serve, cartpole, exponent=1.0)
    dataset = replay_dataset(served.address, layout, BATCH, importance_exponent=1.0)
    steps, info = next(dataset.as_numpy_iterator())
    items = steps.observation[:, :, 0, 2].astype(int)
    assert len({*zip(info.keys.ravel(), items.ravel())}) == len(np.unique(items))
    chosen = int(info.keys[items == items.max()][0])
    served.client.mutate_priorities(tables.REPLAY, {chosen: 1e12})
    sampled = [sample[0].info for sample in served.client.sample(tables.REPLAY, 20)]
    assert {int(info.key) for info in sampled} == {chosen}
    assert {info.priority for info in sampled} == {1e12}


def test_without_priorities_all_are_alike() -> None:
    """Nothing travels, nothing is weighed."""
    assert priorities.largest_priority(Replay()) is None
    assert isinstance(priorities.sampler(Replay()), type(reverb.selectors.Uniform()))


@pytest.mark.parametrize(
    ("errors", "wanted"),
    [
        ([1.0, -2.0], [1, 2]),
        ([[1.0, -2.0, 3.0], [0.0, 0.0, 0.0]], [0.9 * 3 + 0.1 * 2, 0]),
        ([[0.0, -2.0, 4.0]], [0.9 * 4 + 0.1 * 3]),  # The first is not learned from.
    ],
)
def test_the_error_of_a_sequence_is_of_its_largest_and_its_mean(
    errors: list[object], wanted: list[float]
) -> None:
    """Kapturowski et al. (2019), with 0.9 for the largest."""
    extra = dqn_agent.DqnLossInfo(td_loss=(), td_error=tf.constant(errors))
    found = priorities.errors_of(tf_agent.LossInfo(tf.constant(0.0), extra))
    assert found is not None
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("agent", "environment", "name"),
    [
        ("categorical_dqn_agent", "CartPole-v1", "CategoricalDqnAgent"),
        ("sac_agent", "Pendulum-v1", "SacAgent"),
        ("td3_agent", "Pendulum-v1", "Td3Agent"),
        ("ddpg_agent", "Pendulum-v1", "DdpgAgent"),
    ],
)
def test_an_agent_that_tells_no_errors_is_refused(
    agent: str, environment: str, name: str
) -> None:
    """There would be no priorities. The server says so."""
    text = f"""
gym_environment.name = {environment!r}
Experiment.agent = @{agent}
Replay.priority_exponent = 0.6
Replay.transitions_per_item = 1
"""
    experiment = definition.load_text(text)
    made, train_step = experiment.make_agent(experiment.environment())
    with pytest.raises(ConfigurationError) as raised:
        tables.make_tables(experiment, made, train_step, 1, "run")
    assert "does not say how wrong it was" in str(raised.value)
    assert name.lower() in str(raised.value).lower()
    assert "bind another agent, e.g. @dqn_agent" in str(raised.value)
