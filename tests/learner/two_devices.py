"""A learner on two devices, in a process of its own: prints what it found as JSON.

TensorFlow divides the processor in two, which it must do before anything else.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable

import numpy as np
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.experimental.distributed import reverb_variable_container
from tf_agents.policies import policy_loader
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from experiment import definition
from experiment.devices import Devices
from learner.replicas import ReplicatedAgent
from reverb_server import tables
from tests.actor.served_run import serve
from tests.learner.conftest import BATCH_SIZE, CARTPOLE, Learning, run_until
from tests.learner.test_compiled_agent import (
    PENDULUM,
    agent_of_seed,
    experience,
    gathered,
    weights,
)
from tests.reverb_server.waiting import wait_until

PRIORITIZED = f"""{CARTPOLE}
Replay.priority_exponent = 0.6
Replay.transitions_per_item = None
Replay.max_size = 1000
Train.jit_compile = False
dqn_agent.target_update_period = 3
dqn_agent.double_q = True
"""
C51 = """
gym_environment.name = 'CartPole-v1'
Experiment.agent = @categorical_dqn_agent
categorical_q_network.layers = (8,)
"""
DEVICES = Devices(["CPU:0", "CPU:1"], "two parts of the processor")


def step_on_both(
    strategy: tf.distribute.Strategy, agent: tf_agent.TFAgent, batch: Any
) -> types.NestedTensor:
    """One gradient step on the halves of a batch [1, B, ...]; errors of the samples."""

    @tf.function(autograph=False)
    def step() -> Any:
        halves = strategy.experimental_distribute_values_from_function(
            lambda context: tf.nest.map_structure(
                lambda column: tf.split(column, 2, 1)[context.replica_id_in_sync_group],
                batch,
            )
        )
        return strategy.run(agent.train, (halves,)).extra

    with strategy.scope():
        errors = step()
    if isinstance(errors, tuple):
        return []
    return tf.concat(strategy.experimental_local_results(errors), 1)[0].numpy()


def distance(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """The largest difference of two tensors, as a share of their size."""
    assert len(one) == len(other) > 2
    return max(
        float(np.linalg.norm(a - b)) / max(float(np.linalg.norm(a)), 1e-12)
        for a, b in zip(one, other)
    )


def compare(
    strategy: tf.distribute.Strategy,
    text: str,
    prepare: Callable[[tf_agent.TFAgent], None] = lambda agent: None,
) -> dict[str, float]:
    """How far a step on two devices is from one on the whole batch on one of them.

    What Adam has gathered of the gradient is compared too: the size of its step does
    not depend on the size of the gradient.
    """
    one = agent_of_seed(1, text)
    with strategy.scope():
        two = agent_of_seed(1, text)
    for agent in (one, two):
        prepare(agent)
    batches = experience(one, batches=1)
    one.train(tf.nest.map_structure(lambda column: column[0], batches))
    step_on_both(strategy, ReplicatedAgent(two, None, None), batches)
    optimizers = [[each.numpy() for each in gathered(agent)] for agent in (one, two)]
    return {
        "weights": distance(weights(one), weights(two)),
        "gradients": distance(*optimizers),
    }


def nearly_certain(agent: tf_agent.TFAgent) -> None:
    """Lets SAC draw nearly the same actions on any device."""
    agent._actor_network.variables[-1].assign([0.0, -9.0])


def prioritized(strategy: tf.distribute.Strategy, folder: Path) -> dict[str, Any]:
    """A learner with prioritized replay, from its first step to a resumed one."""
    experiment = definition.load_text(PRIORITIZED)
    with serve(experiment, folder) as run:
        learning = Learning(run, experiment, folder)
        learning.fill(policy_train_step=0, steps=60)
        trainer = learning.build(strategy)
        found = {"devices": trainer._learner.strategy.num_replicas_in_sync}
        before = priorities(learning)
        run_until(trainer, 8)
        trainer.publish()
        wait_until(lambda: learning.publications() == 1)
        # Those of all steps of both calls, not of the last ones only.
        wait_until(lambda: updated(before, priorities(learning)) > 2 * BATCH_SIZE)
        container = reverb_variable_container.ReverbVariableContainer(
            run.address, [tables.VARIABLES]
        )
        published = container.pull(tables.VARIABLES)
        found["published"] = distance(
            [each.numpy() for each in tf.nest.flatten(trainer.weights)],
            [each.numpy() for each in tf.nest.flatten(published)],
        )
        found["lag"] = trainer.figures()["policy_lag"]
        found["loss"] = trainer.figures()["loss"]
        trainer.save()
        trainer.export()
        policy = policy_loader.load(str(folder / "policies" / "greedy_policy"))
        found["exported_step"] = int(policy.get_train_step())
        observation = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
        values = trainer.agent._q_network(observation)[0]
        found["exported_acts_alike"] = all(
            int(policy.action(ts.restart(each)).action) == int(best)
            for each, best in zip(observation, tf.argmax(values, axis=1))
        )
        resumed = learning.build(tf.distribute.get_strategy())
        found["resumed_step"] = resumed.train_step
        found["resumed"] = distance(
            [each.numpy() for each in trainer.agent.variables],
            [each.numpy() for each in resumed.agent.variables],
        )
        found["largest"] = [
            float(each.weights[tables.LARGEST_PRIORITY_KEY])
            for each in (trainer, resumed)
        ]
    return found


def updated(before: dict[int, float], now: dict[int, float]) -> int:
    """How many items have another priority."""
    return sum(before[key] != priority for key, priority in now.items())


def priorities(learning: Learning) -> dict[int, float]:
    """Of all items of the table."""
    client = learning.run.server.client
    samples = client.sample(tables.REPLAY, 2_000, emit_timesteps=False)
    return {sample.info.key: sample.info.priority for sample in samples}


def main() -> None:
    """Prints what was found, on the last line."""
    [processor] = tf.config.list_physical_devices("CPU")
    part = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(processor, [part, part])
    strategy = DEVICES.strategy()
    sac = f"{PENDULUM.format(name='sac')}\nsac_agent.initial_log_alpha = -20.0\n"
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "prioritized": prioritized(strategy, Path(folder)),
            "dqn": compare(strategy, CARTPOLE),
            "c51": compare(strategy, C51),
            "sac": compare(strategy, sac, nearly_certain),
        }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
    sys.exit()
