"""reverb_server/weights.py: what the learner published is what is acted with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Callable

import numpy as np
import pytest
import tensorflow as tf

from experiment import environments
from experiment.definition import Experiment
from reverb_server import tables, weights
from reverb_server.row_writer import RowWriter
from reverb_server.weights import WeightsPuller
from tests.reverb_server.conftest import Built, Serve, Served
from tests.reverb_server.waiting import wait_until


def running() -> bool:
    """The run goes on."""
    return True


@pytest.fixture
def served(serve: Serve, cartpole: Built) -> Served:
    """A server with all tables of a run."""
    return serve(tables.make_tables(Experiment(), *cartpole, 1, "r/1"))


@pytest.fixture
def variables(cartpole: Built) -> Any:
    """Those of an actor, all zero."""
    return tf.nest.map_structure(
        lambda variable: tf.Variable(tf.zeros(variable.shape, variable.dtype)),
        tables.weights_of(*cartpole),
    )


@pytest.fixture
def publish(served: Served, cartpole: Built) -> Callable[[int], None]:
    """Publishes weights as a learner does: all of them are the train step."""
    writer = RowWriter(served.client, tables.VARIABLES)

    def push(step: int) -> None:
        values = tf.nest.map_structure(
            lambda variable: tf.cast(tf.fill(variable.shape, step), variable.dtype),
            tables.weights_of(*cartpole),
        )
        writer.write(values)
        assert writer.flush(20)

    return push


@pytest.fixture
def puller(served: Served, variables: Any) -> Iterator[WeightsPuller]:
    """Pulls into these variables, often."""
    puller = WeightsPuller(served.address, variables, interval_s=0.001)
    yield puller
    puller.close()


def content(variables: Any) -> set[float]:
    """All different numbers in the variables."""
    flat = [variable.numpy().ravel() for variable in tf.nest.flatten(variables)]
    return set(np.unique(np.concatenate(flat)).tolist())


def test_exactly_what_was_published_is_taken(
    puller: WeightsPuller, publish: Callable[[int], None], variables: Any
) -> None:
    """Once; until then the variables are left alone."""
    assert not puller.take()
    assert puller.train_step == -1
    publish(5)
    assert puller.wait_for(5, running, 20)
    assert content(variables) == {0}
    assert puller.train_step == -1
    assert puller.take()
    assert puller.train_step == 5
    assert content(variables) == {5}
    assert not puller.take()


def test_weights_of_the_first_train_step_are_weights(
    puller: WeightsPuller, publish: Callable[[int], None]
) -> None:
    """A learner publishes before it has learned anything."""
    publish(0)
    assert puller.wait_for_first(running)
    assert puller.train_step == 0


def test_the_policy_of_the_agent_gets_the_weights(
    served: Served, publish: Callable[[int], None]
) -> None:
    """Down to the actions."""
    agent, train_step = Experiment().make_agent(
        environments.gym_environment("CartPole-v1")
    )
    puller = WeightsPuller(served.address, tables.weights_of(agent, train_step), 0.001)
    publish(3)
    assert puller.wait_for_first(running)
    puller.close()
    # All weights and biases are 3.
    q_values, _ = agent._q_network(tf.zeros([1, 4]))
    first = 3.0
    second = 3 * first * 100 + 3
    assert float(q_values[0, 0]) == pytest.approx(3 * second * 50 + 3)
    assert train_step == 3


def test_weights_of_two_versions_are_never_mixed(
    puller: WeightsPuller, publish: Callable[[int], None], variables: Any
) -> None:
    """While a learner publishes as fast as it can."""
    last = 150

    def learn() -> None:
        for step in range(last + 1):
            publish(step)

    learner = threading.Thread(target=learn, daemon=True)
    learner.start()
    seen = []

    def take() -> bool:
        if puller.take():
            assert content(variables) == {puller.train_step}
            seen.append(puller.train_step)
        return puller.train_step == last

    wait_until(take)
    learner.join(timeout=20)
    assert len(seen) > 3
    assert seen == sorted(seen)


def test_a_learner_that_starts_again_is_followed(
    puller: WeightsPuller,
    publish: Callable[[int], None],
    variables: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """From its checkpoint: its train step is lower then, and the log says so."""
    publish(9)
    wait_until(puller.take)
    assert "went back" not in caplog.text
    publish(4)
    wait_until(puller.take)
    assert puller.train_step == 4
    assert content(variables) == {4}
    assert "the learner went back from train step 9 to 4" in caplog.text


def test_who_waits_for_a_later_train_step_hears_of_an_earlier_one(
    puller: WeightsPuller, publish: Callable[[int], None]
) -> None:
    """Weights that are wanted may take hours to come again."""
    publish(9)
    wait_until(puller.take)
    assert not puller.wait_for(20, running, timeout_s=0.3)
    publish(4)
    assert puller.wait_for(20, running, 20)
    assert puller.take()
    assert puller.train_step == 4
    assert not puller.wait_for(20, running, timeout_s=0.3)


def test_a_train_step_is_waited_for(
    puller: WeightsPuller, publish: Callable[[int], None]
) -> None:
    """Older weights do not do."""
    publish(4)
    assert puller.wait_for(4, running, 20)
    assert not puller.wait_for(5, running, timeout_s=0.3)
    learner = threading.Timer(0.2, publish, [5])
    learner.start()
    assert puller.wait_for(5, running, 20)
    learner.join(timeout=20)


def test_a_wait_ends_with_the_run(puller: WeightsPuller) -> None:
    """Not with the time-out."""
    answers = iter([True, True, False])
    assert not puller.wait_for(1, lambda: next(answers), timeout_s=3600)
    assert not puller.wait_for_first(lambda: False)


def test_a_learner_that_publishes_nothing_is_not_waited_for_for_ever(
    puller: WeightsPuller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named as what is missing."""
    monkeypatch.setattr(weights, "FIRST_WEIGHTS_TIMEOUT_S", 0.2)
    with pytest.raises(TimeoutError, match="is the learner running"):
        puller.wait_for_first(running)


def test_a_client_that_tensorflow_drops_is_made_anew(
    puller: WeightsPuller, publish: Callable[[int], None]
) -> None:
    """It drops all of a process whenever somebody seeds it."""
    publish(1)
    wait_until(puller.take)
    tf.random.set_seed(1)
    publish(2)
    wait_until(puller.take)
    assert puller.train_step == 2


def test_values_are_assigned_in_the_order_of_the_nest() -> None:
    """To variables that are hidden in dicts and lists."""
    variables = {"b": [tf.Variable(0.0), tf.Variable([0.0, 0.0])], "a": tf.Variable(0)}
    weights.assign(variables, {"b": [1.0, tf.constant([2.0, 3.0])], "a": 4})
    assert variables["b"][0].numpy() == 1.0
    assert variables["b"][1].numpy().tolist() == [2.0, 3.0]
    assert variables["a"].numpy() == 4
