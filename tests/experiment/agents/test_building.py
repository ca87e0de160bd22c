"""experiment/agents/building.py: networks of the right kind, and all others."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf
from tf_agents.networks import sequential
from tf_agents.specs import tensor_spec

from experiment import networks
from experiment.agents.building import build_network, gives_values, require_copies
from experiment.errors import ConfigurationError

SEEN = tensor_spec.BoundedTensorSpec([3], tf.float32, -1.0, 1.0)
CHOICE = tensor_spec.BoundedTensorSpec([], tf.int64, 0, 1)


def build(factory: Any, *shape: int) -> Any:
    """A network that gives numbers of a shape, or a refusal."""
    return build_network(
        "my_agent.network", factory, (SEEN, CHOICE), SEEN, gives_values(*shape), "X"
    )


def plain(observation_spec: Any, action_spec: Any) -> Any:
    """A network that does not say what it takes."""
    return sequential.Sequential([tf.keras.layers.Dense(2)])


def broken(observation_spec: Any, action_spec: Any) -> Any:
    """Cannot be called with three numbers."""
    return sequential.Sequential([tf.keras.layers.Reshape((7,))])


def test_what_fits_is_made_with_its_variables() -> None:
    """Anew by each call."""
    one, two = build(networks.q_network, 2), build(networks.q_network, 2)
    assert one.variables
    assert one.variables[0] is not two.variables[0]


@pytest.mark.parametrize(
    ("factory", "shape", "said"),
    [
        (5, (2,), "my_agent.network is 5; it must be a function"),
        (lambda spec: spec, (2,), "takes 1 arguments; it must take 2"),
        (lambda *specs: 5, (2,), "which makes int, no Network; bind a network that g"),
        (networks.q_network, (3,), "which gives float32[2]; bind a network that gives"),
        (broken, (7,), "which does not fit this environment (InvalidArgumentError: In"),
    ],
)
def test_what_does_not_fit_is_refused(
    factory: Any, shape: tuple[int, ...], said: str
) -> None:
    """In one line."""
    with pytest.raises(ConfigurationError) as raised:
        build(factory, *shape)
    assert str(raised.value).startswith("my_agent.network is ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_network_that_cannot_be_copied_for_the_targets_is_refused() -> None:
    """Its copy would not know what it takes."""
    with pytest.raises(ConfigurationError, match="pass it input_spec=observation_spec"):
        require_copies("my_agent.network", build(plain, 2))
    own = sequential.Sequential([tf.keras.layers.Dense(2)], input_spec=SEEN)
    assert require_copies("my_agent.network", own) is own
