"""Learning rates after a restore: those of today's settings, not those stored.

Keras keeps the learning rate in a variable, so a checkpoint brings back the old one.
"""

from __future__ import annotations

import logging
from typing import Any

import tensorflow as tf
from tf_agents.agents import tf_agent

from experiment.agents import OnPolicyAgent


def read(agent: tf_agent.TFAgent) -> list[tuple[tf.Variable, float]]:
    """The learning rates of all optimizers of an agent, as they are now.

    Learning rates that are a schedule follow the train step, and are not stored.
    """
    if isinstance(agent, OnPolicyAgent):
        agent = agent.wrapped
    found = (value for value in vars(agent).values())
    optimizers = (each for each in found if isinstance(each, _OPTIMIZERS))
    fixed = (each for each in optimizers if not _follows_schedule(each))
    variables = (each.learning_rate for each in fixed)
    return [(each, _value(each)) for each in variables if isinstance(each, tf.Variable)]


def write(rates: list[tuple[tf.Variable, float]]) -> None:
    """Sets the learning rates back to what `read` has found."""
    for variable, wanted in rates:
        if (restored := _value(variable)) != wanted:
            logging.warning("learning rate: %g, not %g as stored", wanted, restored)
            variable.assign(wanted)


def _value(rate: tf.Variable) -> float:
    return float(rate.numpy())  # One of several devices is no number by itself.


def _follows_schedule(optimizer: Any) -> bool:
    rate = getattr(optimizer, "_learning_rate", None)
    return isinstance(rate, tf.keras.optimizers.schedules.LearningRateSchedule)


_OPTIMIZERS = (tf.keras.optimizers.Optimizer, tf.keras.optimizers.legacy.Optimizer)
