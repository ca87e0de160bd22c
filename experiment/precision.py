"""How exactly the hidden layers of networks compute.

In float32; or mixed with bfloat16, of which hardware that has units for it multiplies
more at a time. Then the weights are float32 all the same, and so is all that is outside
of hidden layers: what a network gives, the loss, the optimizer. bfloat16 has the range
of float32, so no loss has to be scaled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf
from tf_agents.agents import tf_agent

from experiment.errors import ConfigurationError

_EXACT, _MIXED = "float32", "mixed_bfloat16"

# Keras' names of what hidden layers are made with now.
_policies = [_EXACT]


def of_hidden_layers() -> str:
    """What a hidden layer takes as Keras' `dtype`."""
    return _policies[-1]


@contextlib.contextmanager
def mixed() -> Iterator[None]:
    """Lets hidden layers that are made inside be mixed, for as long as they live."""
    _policies.append(_MIXED)
    try:
        yield
    finally:
        _policies.pop()


def require_mixed(agent: tf_agent.TFAgent) -> None:
    """Refuses an agent none of whose layers is mixed.

    Raises:
      ConfigurationError: Its networks have hidden layers of their own.
    """
    layers = (
        each for each in agent.submodules if isinstance(each, tf.keras.layers.Layer)
    )
    if not any(layer.compute_dtype == "bfloat16" for layer in layers):
        raise ConfigurationError(
            f"Train.mixed_precision is True, but no layer of {type(agent).__name__} "
            "takes part; set it to False, or make the hidden layers of your networks "
            "with dtype=experiment.precision.of_hidden_layers()."
        )
