"""experiment/specs.py: specs in words, and what no agent can take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tf_agents.environments import random_py_environment
from tf_agents.specs import array_spec, tensor_spec

from experiment import specs
from experiment.errors import ConfigurationError
from experiment.specs import check_specs, describe, describe_nest

VECTOR = array_spec.BoundedArraySpec([2], np.float32, -1.0, 1.0)
CHOICE = array_spec.BoundedArraySpec([], np.int64, 0, 1)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (array_spec.ArraySpec([2, 3], np.uint8), "uint8[2, 3]"),
        (CHOICE, "int64[] in [0, 1]"),
        (
            array_spec.BoundedArraySpec([2], np.float32, [-1.0, -2.0], 5.5),
            "float32[2] in [(-1, -2), 5.5]",
        ),
        (
            array_spec.BoundedArraySpec([6], np.float32, np.arange(6.0), 9.0),
            "float32[6] in [(0 ... 5), 9]",
        ),
    ],
)
def test_a_spec_in_words(spec: Any, words: str) -> None:
    """With bounds, as far as they are few."""
    assert describe(spec) == words


def test_a_nest_is_told_by_its_paths() -> None:
    """Of tensors' specs too."""
    nest = tensor_spec.from_spec({"a": VECTOR, "b": (CHOICE,)})
    assert describe_nest("seen", nest) == (
        "seen/a float32[2] in [-1, 1], seen/b/0 int64[] in [0, 1]"
    )
    assert describe_nest("seen", tensor_spec.from_spec(CHOICE)) == "int64[] in [0, 1]"
    assert dict(specs.leaves("seen", {"a": 1, "b": [2]})) == {
        "seen/a": 1,
        "seen/b/0": 2,
    }


def environment(observation: Any, action: Any = CHOICE, **reward: Any) -> Any:
    """Of any specs."""

    class Made(random_py_environment.RandomPyEnvironment):
        """TF-Agents' own samples its specs when it is made."""

        def __init__(self) -> None:
            """Makes nothing."""

        def observation_spec(self) -> Any:
            """As given."""
            return observation

        def action_spec(self) -> Any:
            """As given."""
            return action

        def reward_spec(self) -> Any:
            """As given."""
            return reward.get("reward", array_spec.ArraySpec([], np.float32))

        def discount_spec(self) -> Any:
            """TF-Agents' own."""
            return array_spec.BoundedArraySpec([], np.float32, 0.0, 1.0)

    return Made()


@pytest.mark.parametrize(
    "spec", [VECTOR, {"a": VECTOR, "b": (CHOICE,)}, array_spec.ArraySpec([3], np.bool_)]
)
def test_nests_of_numbers_are_taken(spec: Any) -> None:
    """Of any depth."""
    check_specs(environment(spec))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (environment(array_spec.ArraySpec([], np.str_)), "observation is of str"),
        (
            environment({"a": array_spec.ArraySpec([2], np.object_)}),
            "observation/a is of object; it must be of booleans, whole or real numbers",
        ),
        (environment(array_spec.ArraySpec([], np.complex64)), "is of complex64"),
        (environment(array_spec.ArraySpec([None], np.float32)), "float32[None], whose"),
        (environment({}), "observation is {}, which has no parts"),
        (environment(VECTOR, ()), "action is (), which has no parts"),
        (
            environment(VECTOR, reward=array_spec.ArraySpec([2], np.float32)),
            "reward is float32[2]; it must be float32[], one number",
        ),
    ],
)
def test_what_cannot_be_stored_is_refused(made: Any, said: str) -> None:
    """By the part that is wrong."""
    with pytest.raises(ConfigurationError) as raised:
        check_specs(made)
    assert said in str(raised.value)
