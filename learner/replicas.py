"""Gradient steps that several devices take together, each on its share of a batch.

By tf.distribute: each device has a replica of the agent, and what the replicas find is
summed up before it is applied, so all have the same weights. What they do together
cannot stand in a loop or a compiled graph inside of a replica; so the loop over batches
is that of TF-Agents' Learner, and XLA compiles nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.agents.dqn import dqn_agent
from tf_agents.agents.sac import sac_agent
from tf_agents.typing import types

from experiment.definition import Experiment
from experiment.errors import ConfigurationError
from learner.batch_queue import BatchQueue, Further
from learner.compiled_agent import CompiledAgent
from reverb_server.replay_dataset import SampleInfo

# Those whose loss counts each sample as one of the whole batch; C51 is a DqnAgent.
# DDPG's and TD3's is the mean over a replica's share, and TD3 waits in a condition.
_SHARING = (dqn_agent.DqnAgent, sac_agent.SacAgent)

# What looks at the samples and the losses of a call.
Look = Callable[[tuple[Any, SampleInfo], tf_agent.LossInfo], None]


def check_settings(experiment: Experiment, replicas: int) -> None:
    """Refuses what several devices cannot do, before an agent is built.

    Raises:
      ConfigurationError: A setting is for one device only.
    """
    if replicas == 1:
        return
    size = experiment.replay.batch_size
    if size % replicas:
        raise ConfigurationError(
            f"Replay.batch_size is {size}, which {replicas} devices cannot share "
            f"evenly; make it a multiple of {replicas}."
        )
    if experiment.train.jit_compile:
        raise ConfigurationError(
            f"Train.jit_compile is True, but XLA cannot compile gradient steps that "
            f"{replicas} devices take together; add "
            "--gin_bindings='Train.jit_compile = False', or train on one device."
        )


def check_agent(agent: tf_agent.TFAgent, replicas: int) -> None:
    """Refuses an agent that would learn something else on several devices.

    Raises:
      ConfigurationError: It would.
    """
    if replicas == 1:
        return
    if not isinstance(agent, _SHARING):
        raise ConfigurationError(
            f"{type(agent).__name__} cannot learn on {replicas} devices together: only "
            "DQN, C51 and SAC of TF-Agents share a batch so that the gradient is that "
            "of the whole; leave --learner_gpus out."
        )
    if getattr(agent, "_gradient_clipping", None) is not None:
        raise ConfigurationError(
            f"gradient_clipping is set, but with {replicas} devices TF-Agents would "
            "clip what each of them finds, not the gradient; leave it out, or leave "
            "--learner_gpus out."
        )


class ReplicatedAgent(CompiledAgent):
    """Takes one gradient step on a batch; in each replica on its share of it."""

    def __init__(
        self,
        agent: tf_agent.TFAgent,
        sequence_length: int | None,
        largest_priority: tf.Variable | None,
    ) -> None:
        """As `CompiledAgent`, for an agent that was made in the strategy's scope."""
        super().__init__(agent, False, sequence_length, largest_priority)

    def _train(
        self, experience: types.NestedTensor, weights: types.Tensor | None = None
    ) -> tf_agent.LossInfo:
        """Takes experience of one batch, [1, B / replicas, T, ...]."""
        del weights
        batch = tf.nest.map_structure(lambda column: column[0], experience)
        loss, errors = self.take_step(batch)
        return tf_agent.LossInfo(
            loss, tf.nest.map_structure(lambda each: each[tf.newaxis], errors)
        )


class SharedBatches(BatchQueue):
    """Batches one by one, shared out to the replicas."""

    def __init__(
        self,
        dataset: tf.data.Dataset,
        capacity: int,
        strategy: tf.distribute.Strategy,
        further: Sequence[Further] = (),
    ) -> None:
        """As `BatchQueue`; elements of the datasets are [batches, B, ...]."""
        super().__init__(dataset, capacity, further)
        self._strategy = strategy

    def __next__(self) -> Any:
        """Takes a batch; in a graph. A replica gets [1, B / replicas, ...] of it."""
        batch = super().__next__()

        def share(context: tf.distribute.experimental.ValueContext) -> Any:
            number, count = (
                context.replica_id_in_sync_group,
                context.num_replicas_in_sync,
            )
            return tf.nest.map_structure(
                lambda column: tf.split(column, count, axis=1)[number], batch
            )

        return self._strategy.experimental_distribute_values_from_function(share)

    def wait(self, batches: int, timeout_s: float) -> bool:
        """As `BatchQueue.wait`; each `next` gives one of them."""
        is_ready = super().wait(batches, timeout_s)
        self._wanted.assign(1)
        return is_ready


def together(look: Look) -> Look:
    """Makes of `look`, called once for a batch, what each replica can call."""

    def join(share: types.Tensor, strategy: tf.distribute.Strategy) -> tf.Tensor:
        return tf.concat(strategy.experimental_local_results(share), axis=1)

    def look_once(
        strategy: tf.distribute.Strategy, info: SampleInfo, errors: types.NestedTensor
    ) -> None:
        info, errors = tf.nest.map_structure(
            lambda share: join(share, strategy), (info, errors)
        )
        look(((), info), tf_agent.LossInfo((), errors))

    @tf.autograph.experimental.do_not_convert
    def in_replica(
        sample: tuple[Any, SampleInfo], loss_info: tf_agent.LossInfo
    ) -> None:
        context = tf.distribute.get_replica_context()
        context.merge_call(look_once, args=(sample[1], loss_info.extra))

    return in_replica
