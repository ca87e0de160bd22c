"""experiment/settings.py: no setting gets past with a value that cannot work."""

from __future__ import annotations

import math
from typing import Any

import pytest

from experiment.errors import ConfigurationError
from experiment.settings import Collect, Evaluation, Replay, Train

COUNTS = [  # Whole numbers from 1.
    (Replay, "max_size"),
    (Replay, "min_size_to_sample"),
    (Replay, "batch_size"),
    (Replay, "frame_stack"),
    (Collect, "envs_per_actor"),
    (Train, "max_train_steps"),
    (Train, "steps_per_call"),
    (Train, "summary_interval"),
    (Evaluation, "episodes"),
    (Evaluation, "interval_train_steps"),
]
POSITIVE = [  # Any number above 0.
    (Replay, "samples_per_insert"),
    (Replay, "samples_per_insert_tolerance"),
    (Collect, "pull_interval_s"),
    (Collect, "environment_timeout_s"),
    (Train, "publish_interval_s"),
    (Train, "checkpoint_interval_s"),
]


def refused(settings: type, **values: Any) -> str:
    """The message with which a class of settings refuses values."""
    with pytest.raises(ConfigurationError) as raised:
        settings(**values)
    return str(raised.value)


@pytest.mark.parametrize("value", [0, -8, 1.0, "8", True, None, math.nan])
@pytest.mark.parametrize(("settings", "name"), COUNTS)
def test_counts_are_whole_numbers_from_one(
    settings: type, name: str, value: Any
) -> None:
    """The message begins with the gin parameter."""
    message = refused(settings, **{name: value})
    assert message.startswith(f"{settings.__name__}.{name} is {value!r};")


@pytest.mark.parametrize("value", [0, -0.5, "1", False, math.nan, math.inf])
@pytest.mark.parametrize(("settings", "name"), POSITIVE)
def test_ratios_and_intervals_are_above_zero(
    settings: type, name: str, value: Any
) -> None:
    """A NaN would end the server's process without a word (reverb aborts)."""
    message = refused(settings, **{name: value})
    assert message.startswith(f"{settings.__name__}.{name} is {value!r};")


def test_random_steps_may_be_none_at_all() -> None:
    """But not negative, nor a part of a step."""
    assert Collect(initial_collect_steps=0).initial_collect_steps == 0
    for value in (-1, 0.5):
        message = refused(Collect, initial_collect_steps=value)
        assert message.startswith(f"Collect.initial_collect_steps is {value!r};")


def test_the_target_return_is_any_finite_number_or_none() -> None:
    """Returns may be negative; an infinite one could never be reached."""
    assert Evaluation(target_return=-200).target_return == -200
    assert Evaluation(target_return=None).target_return is None
    assert "target_return is inf" in refused(Evaluation, target_return=math.inf)


def test_the_ratio_and_its_tolerance_may_be_left_out() -> None:
    """None frees actors and learner of each other."""
    settings = Replay(samples_per_insert=None, samples_per_insert_tolerance=None)
    assert settings.samples_per_insert is None


@pytest.mark.parametrize("max_size", [49, 100_000])
def test_a_ratio_that_samples_nothing_of_a_whole_table_is_refused(
    max_size: int,
) -> None:
    """With the smallest that does not."""
    size: Any = {"max_size": max_size, "min_size_to_sample": 1}
    message = refused(Replay, samples_per_insert=1e-9, **size)
    assert message.startswith("Replay.samples_per_insert is 1e-09, so of Replay.max_")
    smallest = float(message.partition(">= ")[2].partition(",")[0])
    Replay(samples_per_insert=smallest, **size)


@pytest.mark.parametrize(("batch_size", "per_item"), [(64, 7), (8, 16)])
def test_a_batch_is_made_of_whole_items(batch_size: int, per_item: int) -> None:
    """The message names both settings with their values."""
    message = refused(Replay, batch_size=batch_size, transitions_per_item=per_item)
    assert f"Replay.transitions_per_item is {per_item}" in message
    assert f"Replay.batch_size ({batch_size})" in message


@pytest.mark.parametrize(
    ("name", "value"), [("frame_stack", 2), ("priority_exponent", 0.5)]
)
def test_what_belongs_to_single_transitions_needs_items_of_one(
    name: str, value: float
) -> None:
    """With the remedy."""
    settings: Any = {name: value, "transitions_per_item": 8}
    message = refused(Replay, **settings)
    assert message.startswith(f"Replay.{name} is {value}, but")
    assert "; leave Replay.transitions_per_item out, or set it to 1." in message


@pytest.mark.parametrize(
    ("settings", "per_item"),
    [
        ({}, 8),
        ({"batch_size": 20}, 4),
        ({"batch_size": 7}, 1),
        ({"frame_stack": 2}, 1),
        ({"priority_exponent": 0.5}, 1),
        ({"sequence_length": 5}, 1),
        ({"sequence_length": 5, "transitions_per_item": 2}, 2),
    ],
)
def test_how_many_travel_together_follows_from_what_is_set(
    settings: dict[str, Any], per_item: int
) -> None:
    assert Replay(**settings).windows_per_item == per_item


def test_what_the_first_sample_waits_for_has_to_fit_into_the_table() -> None:
    """Reverb accepts it, and then never samples."""
    message = refused(Replay, max_size=100, min_size_to_sample=101)
    assert "Replay.min_size_to_sample (101)" in message
    assert "Replay.max_size (100)" in message
    Replay(max_size=100, min_size_to_sample=100)
