"""learner/publisher.py: the newest weights go out, as they were when published."""

from __future__ import annotations

import tensorflow as tf
from tf_agents.experimental.distributed import reverb_variable_container

from learner.publisher import Publisher
from reverb_server import tables
from tests.learner.conftest import Learning
from tests.reverb_server.waiting import wait_until


def test_the_newest_weights_go_out_as_they_were(learning: Learning) -> None:
    """Training goes on meanwhile, and is not waited for."""
    agent, train_step = learning.experiment.make_agent(
        learning.experiment.environment()
    )
    weights = tables.weights_of(agent, train_step)
    publisher = Publisher(learning.run.address)
    for step in range(1, 51):
        train_step.assign(step)
        publisher.publish(weights)
    train_step.assign(1_000)
    container = reverb_variable_container.ReverbVariableContainer(
        learning.run.address, [tables.VARIABLES]
    )
    wait_until(learning.publications)

    def newest() -> int:
        row = container.pull(tables.VARIABLES)
        return int(row[reverb_variable_container.TRAIN_STEP_KEY])

    wait_until(lambda: newest() == 50)
    row = container.pull(tables.VARIABLES)
    policy = row[reverb_variable_container.POLICY_KEY]
    for pulled, variable in zip(policy, agent.collect_policy.variables()):
        tf.debugging.assert_equal(pulled, variable)
    assert 1 <= learning.publications() <= 50
