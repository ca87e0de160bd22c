"""Networks as agents get them: made by what gin has bound, and of the right kind."""

from __future__ import annotations

from typing import Any, Callable

import tensorflow as tf
from tf_agents.networks import network
from tf_agents.typing import types

from experiment import blame
from experiment.errors import ConfigurationError
from experiment.factories import check_factory
from experiment.networks import NetworkFactory

# What a network raises that does not fit the specs. What fails for want of memory, say,
# may work when it is tried again.
_MISFITS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
    tf.errors.InvalidArgumentError,
    tf.errors.UnimplementedError,
)


def build_network(
    name: str,
    factory: NetworkFactory,
    specs: tuple[types.NestedTensorSpec, types.NestedTensorSpec],
    inputs: types.NestedTensorSpec,
    fits: Callable[[Any], bool],
    wanted: str,
    may_be_recurrent: bool = False,
) -> network.Network:
    """Makes a network with its variables; each call makes another one.

    Args:
      name: What the factory is bound to, e.g. `dqn_agent.network`.
      factory: Makes the network.
      specs: Of observation and action: what the factory is called with.
      inputs: Of what the network is called with.
      fits: Whether a network that gives something of this spec will do.
      wanted: What the network has to give, in words, with an example.
      may_be_recurrent: Whether the agent learns from sequences: transitions have no
        past for a state.

    Returns:
      The network.

    Raises:
      ConfigurationError: The factory cannot be called or fails, or what it makes is no
        network, cannot take the inputs, gives something else, or is recurrent and may
        not be.
    """
    check_factory(name, factory, takes=2)
    shown = f"{name} is @{getattr(factory, '__name__', factory)}, which"
    remedy = f"bind a network that gives {wanted}."
    try:
        built = factory(*specs)
        if not isinstance(built, network.Network):
            raise ConfigurationError(
                f"{shown} makes {type(built).__name__}, no Network; {remedy}"
            )
        given = built.create_variables(inputs)
    except ConfigurationError:
        raise
    except _MISFITS as error:
        raise ConfigurationError(
            f"{shown} does not fit this environment ({blame.tell(error)}); {remedy}"
        ) from error
    if not fits(given):
        raise ConfigurationError(f"{shown} gives {_describe(given)}; {remedy}")
    if built.state_spec and not may_be_recurrent:
        raise ConfigurationError(
            f"{name} makes {type(built).__name__}, which is recurrent; bind one that "
            "is not: only dqn_agent learns from sequences."
        )
    return built


def require_copies(name: str, built: network.Network) -> network.Network:
    """Refuses a network whose copies do not know what they are called with.

    Args:
      name: What its factory is bound to.
      built: Made by `build_network`.

    Returns:
      The same network.

    Raises:
      ConfigurationError: Of TF-Agents' agents, some cannot copy it.
    """
    if built.copy().input_tensor_spec is None:
        raise ConfigurationError(
            f"{name} makes {type(built).__name__} without an input_spec, so it cannot "
            "be copied for the targets; pass it input_spec=observation_spec (of a "
            "critic: the tuple of both specs)."
        )
    return built


def gives_values(*shape: int) -> Callable[[Any], bool]:
    """Whether a network gives real numbers of this shape for each observation."""
    return lambda given: (
        isinstance(given, tf.TensorSpec)
        and given.dtype.is_floating
        and given.shape == shape
    )


def _describe(given: Any) -> str:
    """What a network gives, in words."""
    parts = tf.nest.flatten(given)
    words = [
        f"{part.dtype.name}{list(part.shape)}"
        if isinstance(part, tf.TensorSpec)
        else "a distribution"
        for part in parts
    ]
    return ", ".join(words)
