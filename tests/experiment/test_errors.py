"""experiment/errors.py: the check that every number of a preset goes through."""

from __future__ import annotations

import math
from typing import Any

import pytest

from experiment.errors import ConfigurationError, check_number


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        (3, {}),
        (-2.5, {}),
        (0, {"at_least": 0}),
        (1, {"at_most": 1}),
        (1e-9, {"above": 0}),
        (0.5, {"above": 0, "at_most": 1}),
        (7, {"at_least": 1, "at_most": 9, "integer": True}),
    ],
)
def test_a_number_within_its_bounds_passes(value: Any, limits: dict[str, Any]) -> None:
    """`at_least` and `at_most` are legal themselves."""
    check_number("Replay.x", value, **limits)


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        (-1, {"at_least": 0}),
        (0, {"above": 0}),
        (1.5, {"at_most": 1}),
        (2.0, {"integer": True}),
        (10, {"at_least": 1, "at_most": 9, "integer": True}),
    ],
)
def test_a_number_out_of_its_bounds_is_refused(
    value: Any, limits: dict[str, Any]
) -> None:
    """`above` itself is not legal, and a whole float is no whole number."""
    with pytest.raises(ConfigurationError, match=r"^Replay\.x is "):
        check_number("Replay.x", value, **limits)


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize(
    "value", [True, False, None, "3", (3,), math.nan, math.inf, -math.inf]
)
def test_what_is_no_finite_number_is_refused(value: Any, integer: bool) -> None:
    """Without any bound too; to Python, True is 1 and a NaN within no bounds."""
    with pytest.raises(ConfigurationError):
        check_number("Replay.x", value, integer=integer)


def test_the_message_says_what_was_got_and_what_is_allowed() -> None:
    """On one line, with every bound."""
    with pytest.raises(ConfigurationError) as raised:
        check_number("Replay.batch_size", 64.5, at_least=1, at_most=9, integer=True)
    assert str(raised.value) == (
        "Replay.batch_size is 64.5; it must be a whole number >= 1 and <= 9."
    )
    with pytest.raises(ConfigurationError) as raised:
        check_number("dqn_agent.learning_rate", -1, above=0)
    assert str(raised.value) == (
        "dqn_agent.learning_rate is -1; it must be a number > 0."
    )
    with pytest.raises(ConfigurationError) as raised:
        check_number("Evaluation.target_return", None)  # type: ignore[arg-type]
    assert str(raised.value) == (
        "Evaluation.target_return is None; it must be a number."
    )
