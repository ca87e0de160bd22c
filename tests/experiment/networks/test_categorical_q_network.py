"""experiment/networks/categorical_q_network.py: one distribution for each action."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf
from tf_agents.specs import BoundedTensorSpec

from experiment import networks
from experiment.errors import ConfigurationError

OBSERVATION = tf.TensorSpec([4], tf.float32)
ACTION = BoundedTensorSpec([], tf.int64, 0, 2)


def test_it_has_logits_for_each_atom_of_each_action() -> None:
    """And says how many atoms there are, also as a copy."""
    built = networks.categorical_q_network(OBSERVATION, ACTION, num_atoms=21)
    logits, _ = built(tf.zeros([7, 4]))
    assert logits.shape == (7, 3, 21)
    assert built.copy().num_atoms == 21


@pytest.mark.parametrize("num_atoms", [1, 0, 2.5, "51", None])
def test_fewer_than_two_atoms_are_refused(num_atoms: Any) -> None:
    """One would be no distribution."""
    with pytest.raises(ConfigurationError, match="num_atoms is"):
        networks.categorical_q_network(OBSERVATION, ACTION, num_atoms=num_atoms)
