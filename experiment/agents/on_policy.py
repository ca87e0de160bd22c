"""Agents that learn only from what their own present policy has collected."""

from __future__ import annotations

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.typing import types

from experiment.agents.draws import Draws
from experiment.errors import ConfigurationError


class OnPolicyAgent(tf_agent.TFAgent):
    """Trains another agent on each batch for some epochs, in shuffled minibatches.

    Its class says to all roles that only new data will do: the replay table is a queue,
    and actors wait for new weights after each window. `train` takes one batch of
    windows [B, T + 1, ...] and does all gradient steps of it; what the agent's
    `preprocess_sequence` adds (advantages, value targets) is computed once before.

    Attributes:
      wrapped: The agent that takes the gradient steps.
      epochs: How often each transition is trained on.
      minibatches: Gradient steps of one epoch.
    """

    def __init__(
        self, agent: tf_agent.TFAgent, epochs: int = 10, minibatches: int = 4
    ) -> None:
        """Wraps an agent.

        Args:
          agent: Each `train` of it is one gradient step on preprocessed experience
            [N, 1, ...], as in `tf_agents.train.PPOLearner`.
          epochs: How often each transition is trained on.
          minibatches: Gradient steps of one epoch; divides the transitions of a batch.
        """
        super().__init__(
            agent.time_step_spec,
            agent.action_spec,
            agent.policy,
            agent.collect_policy,
            train_sequence_length=None,
            training_data_spec=agent.collect_data_spec,
            train_step_counter=agent.train_step_counter,
        )
        self.wrapped = agent
        self.epochs = epochs
        self.minibatches = minibatches
        self._draws = Draws(agent.train_step_counter)

    @property
    def steps_per_batch(self) -> int:
        """Gradient steps taken for one batch."""
        return self.epochs * self.minibatches

    def check_batch(self, windows: int, sequence_length: int) -> None:
        """Refuses batches that cannot be cut into minibatches of one size.

        Args:
          windows: In a batch.
          sequence_length: Steps of a window; the last one is no transition.

        Raises:
          ConfigurationError: Some transitions would be left out.
        """
        transitions = windows * (sequence_length - 1)
        if transitions % self.minibatches:
            raise ConfigurationError(
                f"a batch has {transitions} transitions (Replay.batch_size * "
                f"(Replay.sequence_length - 1)), which {type(self.wrapped).__name__} "
                f"cannot cut into {self.minibatches} minibatches of one size; change "
                "one of these numbers."
            )

    def _initialize(self) -> None:
        self.wrapped.initialize()

    def _train(
        self, experience: types.NestedTensor, weights: types.Tensor | None = None
    ) -> tf_agent.LossInfo:
        """Takes all gradient steps of a batch; returns their mean loss."""
        del weights
        transitions = self._transitions(experience)
        order = self._order(tf.shape(tf.nest.flatten(transitions)[0])[0])

        def take_step(number: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, ...]:
            minibatch = tf.nest.map_structure(
                lambda column: tf.gather(column, order[number])[:, tf.newaxis],
                transitions,
            )
            return number + 1, total + self.wrapped.train(minibatch).loss

        _, total = tf.while_loop(
            lambda number, _: number < self.steps_per_batch,
            take_step,
            (tf.constant(0), tf.constant(0.0)),
            parallel_iterations=1,
        )
        return tf_agent.LossInfo(total / self.steps_per_batch, ())

    def _transitions(self, experience: types.NestedTensor) -> types.NestedTensor:
        """What is trained on, [B * T, ...]: all steps of the windows but the last."""
        processed = self.wrapped.preprocess_sequence(experience)
        return tf.nest.map_structure(
            lambda column: tf.reshape(
                column[:, :-1], tf.concat([[-1], tf.shape(column)[2:]], 0)
            ),
            processed,
        )

    def _order(self, count: tf.Tensor) -> tf.Tensor:
        """Which transitions are in which minibatch, int32 [steps, N].

        Sorting random numbers shuffles; XLA does not know tf.random.shuffle.
        """
        seed = self._draws.seed()
        numbers = tf.random.stateless_uniform([self.epochs, count], seed)
        shuffled = tf.argsort(numbers, axis=-1)
        size = count // self.minibatches
        return tf.reshape(shuffled, [self.steps_per_batch, size])
