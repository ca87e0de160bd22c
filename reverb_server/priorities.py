"""Prioritized replay (Schaul et al., 2015, arXiv:1511.05952).

The server samples item i with P(i) = p_i^a / sum of p^a, the dataset gives each sample
its importance weight, the learner sets p_i = |TD error| + `SMALLEST` of what it has
trained on, and new items get the largest priority so far, which travels with the
weights: so each is sampled soon.
"""

from __future__ import annotations

import reverb
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.specs import tensor_spec
from tf_agents.typing import types

from experiment.errors import ConfigurationError
from experiment.settings import Replay
from reverb_server.replay_layout import ReplayLayout

# Keeps what was learned to the last digit from never being sampled again (section 3.3).
SMALLEST = 1e-6

# What new items get before anything was learned.
_FIRST = 1.0

# Share of the largest error of a sequence in its priority; the mean has the rest
# (Kapturowski et al., 2019, R2D2, section 2.3).
_LARGEST_SHARE = 0.9


def largest_priority(settings: Replay) -> tf.Variable | None:
    """Makes the variable for the largest priority so far, float32 scalar.

    Returns:
      What new items are to get; None if all items are sampled alike.
    """
    if not settings.is_prioritized:
        return None
    return tf.Variable(_FIRST, trainable=False, name="largest_priority")


def sampler(settings: Replay) -> reverb.selectors.SelectorType:
    """Decides on which items are sampled."""
    if settings.is_prioritized:
        return reverb.selectors.Prioritized(settings.priority_exponent)
    return reverb.selectors.Uniform()


def importance_weights(
    probability: tf.Tensor, table_size: tf.Tensor, exponent: float
) -> tf.Tensor:
    """How much each sample of a batch counts: section 3.4 of the paper.

    w_i = (1 / (N P(i)))^exponent, divided by the largest of the batch, so that steps
    only become smaller.

    Args:
      probability: P(i), float64 [..., B].
      table_size: N, int64 [..., B].
      exponent: How far the bias is corrected.

    Returns:
      float32 [..., B].
    """
    expected = probability * tf.cast(table_size, probability.dtype)
    weights = expected**-exponent
    largest = tf.reduce_max(weights, axis=-1, keepdims=True)
    return tf.cast(weights / largest, tf.float32)


def errors_of(loss_info: tf_agent.LossInfo) -> tf.Tensor | None:
    """How wrong the agent was about each sample of a batch.

    Args:
      loss_info: What `TFAgent.train` returns.

    Returns:
      float32 [B]; None if the agent does not tell.
    """
    errors = getattr(loss_info.extra, "td_error", None)
    if not isinstance(errors, tf.Tensor) or errors.shape.rank is None:
        return None
    errors = tf.abs(errors)
    if errors.shape.rank == 1:
        return errors
    if errors.shape.rank == 2:  # noqa: PLR2004  (a sequence)
        largest = tf.reduce_max(errors, axis=1)
        # Steps that are not learned from, those of a burn-in say, have none.
        learned = tf.maximum(tf.math.count_nonzero(errors, 1, dtype=errors.dtype), 1)
        mean = tf.reduce_sum(errors, axis=1) / learned
        return _LARGEST_SHARE * largest + (1 - _LARGEST_SHARE) * mean
    return None


def require_errors(agent: tf_agent.TFAgent, layout: ReplayLayout) -> None:
    """Refuses an agent that does not say how wrong it was about each sample.

    Args:
      agent: Initialised.
      layout: Of what it trains on.

    Raises:
      ConfigurationError: Its loss has no errors of single samples.
    """
    spec = tensor_spec.add_outer_dims_nest(
        agent.training_data_spec, (2, layout.sequence_length)
    )

    @tf.function(autograph=False)
    def errors(experience: types.NestedTensor) -> tf.Tensor | None:
        try:
            return errors_of(agent.loss(experience, weights=tf.ones([2])))
        except NotImplementedError:  # As TF-Agents' TD3.
            return None

    if errors.get_concrete_function(spec).structured_outputs is None:
        raise ConfigurationError(
            f"Replay.priority_exponent is set, but {type(agent).__name__} does not say "
            "how wrong it was about each sample, so there would be no priorities; set "
            "it to 0, or bind another agent, e.g. @dqn_agent."
        )
