"""Trains the agent through TF-Agents' Learner, publishes, saves."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.train import learner as tf_learner
from tf_agents.typing import types

from experiment.errors import ConfigurationError, DivergedError, one_line
from experiment.interval import Interval
from learner import checkpoints
from learner.batch_queue import BatchQueue
from learner.learning_agent import BFLOAT16_IN_CONDITION
from learner.loss_watch import LossWatch
from learner.policy_export import PolicyExporter
from learner.policy_lag import PolicyLag
from learner.priority_updates import PriorityUpdates
from learner.publisher import Publisher
from learner.window_queue import WindowQueue
from reverb_server import tables
from reverb_server.weights import assign

# Seconds between two histograms of the policy lag; one takes 5 ms.
_HISTOGRAM_S = 5.0

# What a graph raises that cannot be compiled, or has looked at its numbers.
_OF_GRAPHS = (
    tf.errors.InternalError,
    tf.errors.InvalidArgumentError,
    tf.errors.UnimplementedError,
)

# Longest wait for a batch, in seconds, until the loop looks around again.
_WAIT_S = 0.5


class Trainer:
    """The agent in training, and the ways its weights leave the process."""

    def __init__(
        self,
        learner: tf_learner.Learner,
        agent: tf_agent.TFAgent,
        batches: BatchQueue | WindowQueue,
        lag: PolicyLag,
        publisher: Publisher,
        exporter: PolicyExporter,
        *,
        store_replay: Callable[[int], str | None],
        checkpoints_dir: Path,
        summary_interval: int,
        updates: PriorityUpdates | None = None,
    ) -> None:
        """Takes the parts; see `builder.build`."""
        self._learner = learner
        self._agent = agent
        self.batches = batches
        self._lag = lag
        self.publisher = publisher
        self._exporter = exporter
        self._store_replay = store_replay
        self._checkpoints_dir = checkpoints_dir
        self._summary_interval = summary_interval
        self._updates = updates
        # On several devices the loop over the batches of a call is the learner's.
        self._is_loop_outside = learner.strategy.num_replicas_in_sync > 1
        self._histogram = Interval(_HISTOGRAM_S)
        self._loss: tf.Tensor | None = None
        self._loss_watch = LossWatch()
        self._waited_s = 0.0
        self._problem: str | None = None
        self._are_finite = tf.function(self._all_finite, autograph=False)

    @property
    def agent(self) -> tf_agent.TFAgent:
        """The agent in training."""
        return self._agent

    @property
    def train_step(self) -> int:
        """Gradient steps taken."""
        return int(self._learner.train_step_numpy)

    @property
    def is_on_policy(self) -> bool:
        """Whether actors wait for the weights of each call of the graph."""
        return isinstance(self.batches, WindowQueue)

    @property
    def weights(self) -> types.NestedVariable:
        """What actors and eval job need of the agent."""
        largest = self._updates.largest_priority if self._updates else None
        return tables.weights_of(self._agent, self._learner.train_step, largest)

    def run(self, steps: int) -> bool:
        """Takes gradient steps in one call of the graph.

        Args:
          steps: How many; at most `Train.steps_per_call`.

        Returns:
          Whether they were taken; False if not enough batches came in time.

        Raises:
          ConfigurationError: XLA does not know an operation of the agent.
          DivergedError: The loss is not finite.
        """
        start = time.monotonic()
        is_ready = self.batches.wait(steps, _WAIT_S)
        self._waited_s += time.monotonic() - start
        if not is_ready:
            return False
        before = self.train_step
        self._loss = self._take_steps(steps)
        if not math.isfinite(self._loss):  # XLA drops the agent's own look.
            raise DivergedError(f"the loss is {float(self._loss)}", self.train_step)
        self._loss_watch.look(float(self._loss))
        if self._updates:
            self._updates.send()
        if before // self._summary_interval < self.train_step // self._summary_interval:
            self._summarize(tf.summary.scalar, "Losses/loss", self._loss)
        if self._histogram.due():
            name = "PolicyLag/gradient_steps"
            self._summarize(tf.summary.histogram, name, self._lag.newest)
        return True

    def _take_steps(self, steps: int) -> tf.Tensor:
        """Calls the graph; returns the mean loss, or on several devices the last."""
        iterations = steps if self._is_loop_outside else 1
        try:
            return self._learner.run(iterations, self.batches).loss
        except _OF_GRAPHS as error:
            if "hlo verifier" in error.message:  # XLA of TensorFlow 2.15 for CPUs.
                raise ConfigurationError(BFLOAT16_IN_CONDITION) from error
            if "XLA" in error.message:
                raise ConfigurationError(
                    "XLA cannot compile the agent's gradient steps; set "
                    f"Train.jit_compile = False. ({one_line(error)})"
                ) from error
            if "CheckNumerics" in error.message:  # The agent's own look at its loss.
                raise DivergedError(
                    "the loss is not finite", self.train_step
                ) from error
            raise

    def _summarize(self, write: Callable[..., Any], name: str, data: Any) -> None:
        """Adds to TensorBoard; a full disk costs the point, not the run.

        Args:
          write: Of `tf.summary`.
          name: Of the curve.
          data: At this train step.
        """
        try:
            with self._learner.train_summary_writer.as_default():
                write(name, data, self.train_step)
        except tf.errors.OpError as error:
            logging.error("no summary of %s: %s", name, one_line(error))  # noqa: TRY400

    def publish(self) -> None:
        """Lets the weights be pushed to the variable container, in the background.

        Raises:
          DivergedError: They are not all finite.
        """
        self._require_finite()
        self.publisher.publish(self.weights)

    def save(self) -> None:
        """Stores what to resume from: the replay table, then a checkpoint.

        In this order, so a checkpoint has its replay table if that could be stored. If
        something cannot be written, the log says so, and training can go on.

        Raises:
          DivergedError: The weights are not all finite; nothing is written.
        """
        self._require_finite()
        problem = self._store_replay(self.train_step)
        checkpoint_trigger = self._learner.triggers[-1]
        try:
            checkpoint_trigger(self._learner.train_step_numpy, force_trigger=True)
            self._learner.train_summary_writer.flush()
        except (tf.errors.OpError, OSError) as error:  # The disk is full, say.
            # It takes a checkpoint that failed for written.
            checkpoint_trigger.set_start(-1)
            # The next tries would leave as much again, however long the disk is full.
            with contextlib.suppress(OSError):  # It may be read-only by now.
                checkpoints.remove_unfinished(self._checkpoints_dir)
            problem = one_line(error)
        self._problem = problem and (
            f"train step {self.train_step} could not be stored, training goes on: "
            f"{problem}"
        )
        if problem:
            logging.error("%s", self._problem)

    def _require_finite(self) -> None:
        """A NaN may not show in the loss: relu(NaN) is 0 on a CPU."""
        if not self._are_finite():
            bad = [
                variable.name
                for variable in self._agent.variables
                if variable.dtype.is_floating
                and not tf.reduce_all(tf.math.is_finite(variable))
            ]
            raise DivergedError(
                f"non-finite weights in {', '.join(bad)}", self.train_step
            )

    def close(self) -> None:
        """Ends the sampling; the trainer can still save and export."""
        self.batches.close()

    def export(self) -> None:
        """Writes the policies as SavedModels."""
        self._exporter.export()

    def adopt(self, weights: types.NestedTensor) -> None:
        """Replaces the policy's weights, e.g. by those that ended the run."""
        assign(self.weights, weights)
        logging.info("took over the weights of train step %d", self.train_step)

    def _all_finite(self) -> tf.Tensor:
        """Whether all weights are; one call of a graph."""
        weights = (each for each in self._agent.variables if each.dtype.is_floating)
        return tf.reduce_all(
            [tf.reduce_all(tf.math.is_finite(weight)) for weight in weights]
        )

    def _lag_figures(self) -> dict[str, float | None]:
        """Mean since the last call; median and 95th percentile of the newest batches.

        None for what is not known yet.
        """
        newest = self._lag.newest
        median, high = np.percentile(newest, (50, 95)) if newest.size else (None, None)
        return {
            "policy_lag": self._lag.take(),
            "policy_lag_median": median,
            "policy_lag_p95": high,
        }

    def figures(self) -> dict[str, Any]:
        """Loss, policy lag since the last call, seconds waited for batches so far.

        `problem` says why the last `save` could not write everything, or that the loss
        explodes; None if all is well.
        """
        return {
            "time": time.time(),  # When the steps were counted, not sent.
            "waited_s": self._waited_s,
            "train_step": self.train_step,
            "loss": None if self._loss is None else float(self._loss),
            **self._lag_figures(),
            "dropped_windows": (
                self.batches.dropped if isinstance(self.batches, WindowQueue) else 0
            ),
            "problem": self._problem or self._loss_watch.problem,
        }
