"""Several gradient steps in one call of a compiled graph."""

from __future__ import annotations

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.specs import tensor_spec
from tf_agents.typing import types

from reverb_server import priorities


class CompiledAgent(tf_agent.TFAgent):
    """Trains another agent on many batches, one gradient step for each.

    `train` takes experience of shape [K, B, T, ...] and takes K gradient steps of the
    agent, in order. For small networks TensorFlow spends more time between operations
    than in them; compiled by XLA, the loop over the K batches has none of that
    (docs/performance.md).

    Attributes:
      largest_priority: Stored with the agent's variables; None if all samples count
        alike. If not, `train` takes pairs of experience and weights [K, B], and
        `LossInfo.extra` has the errors [K, B].
    """

    def __init__(
        self,
        agent: tf_agent.TFAgent,
        jit_compile: bool,
        sequence_length: int | None = None,
        largest_priority: tf.Variable | None = None,
    ) -> None:
        """Wraps an agent.

        Args:
          agent: Takes the gradient steps.
          jit_compile: Whether XLA compiles the loop; all the agent's operations must
            be known to it.
          sequence_length: T, if the agent does not say; XLA has to know.
          largest_priority: Of prioritized replay, see `priorities`.
        """
        length = agent.train_sequence_length or sequence_length
        batches_spec = tensor_spec.add_outer_dims_nest(
            agent.training_data_spec, (length,)
        )
        weights_spec = ()
        if largest_priority is not None:
            weights_spec = tf.TensorSpec([], tf.float32)
            batches_spec = (batches_spec, weights_spec)
        super().__init__(
            agent.time_step_spec,
            agent.action_spec,
            agent.policy,
            agent.collect_policy,
            train_sequence_length=None,
            training_data_spec=batches_spec,
            train_step_counter=agent.train_step_counter,
        )
        self._agent = agent
        self.largest_priority = largest_priority
        # One trace for any number of batches of any size; XLA compiles each size anew.
        any_number = tensor_spec.add_outer_dims_nest(batches_spec, (None, None))
        self._take_steps = tf.function(
            self._loop,
            input_signature=[any_number],
            autograph=False,
            jit_compile=jit_compile,
        )

    def _initialize(self) -> None:
        self._agent.initialize()

    def _train(
        self, experience: types.NestedTensor, weights: types.Tensor | None = None
    ) -> tf_agent.LossInfo:
        del weights
        return tf_agent.LossInfo(*self._take_steps(experience))

    def take_step(self, batch: types.NestedTensor) -> tuple[tf.Tensor, types.Tensor]:
        """Takes one gradient step; returns its loss, and the errors if wanted.

        Args:
          batch: [B, T, ...], with weights [B] if errors are wanted.
        """
        if self.largest_priority is None:
            return self._agent.train(batch).loss, ()
        loss_info = self._agent.train(*batch)
        return loss_info.loss, priorities.errors_of(loss_info)

    def _loop(self, experience: types.NestedTensor) -> tuple[tf.Tensor, types.Tensor]:
        """Takes the steps; returns the mean loss, and the errors if they are wanted."""
        count = tf.shape(tf.nest.flatten(experience)[0])[0]
        # A tensor that is filled row by row: XLA knows no array of unknown size.
        errors = () if self.largest_priority is None else experience[1]

        def body(
            number: tf.Tensor, total: tf.Tensor, errors: types.Tensor
        ) -> tuple[tf.Tensor, ...]:
            batch = tf.nest.map_structure(lambda column: column[number], experience)
            loss, own = self.take_step(batch)
            if self.largest_priority is not None:
                errors = tf.tensor_scatter_nd_update(errors, [[number]], [own])
            return number + 1, total + loss, errors

        # XLA knows no summaries.
        with tf.summary.record_if(False):
            _, total, errors = tf.while_loop(
                lambda number, *_: number < count,
                body,
                (tf.constant(0), tf.constant(0.0), errors),
                parallel_iterations=1,
            )
        return total / tf.cast(count, tf.float32), errors
