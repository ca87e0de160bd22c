"""experiment/blame.py: the user's line, among those of libraries and of ours."""

from __future__ import annotations

import json
from pathlib import Path

import gin
import pytest
import tensorflow as tf

from experiment import blame, errors

HERE = str(Path(__file__))


def fails() -> None:
    """A user's function."""
    raise KeyError("no such field")


def raised_by(work: object) -> BaseException:
    """What a call raises."""
    assert callable(work)
    with pytest.raises(BaseException) as raised:  # noqa: PT011  (whatever it is)
        work()
    return raised.value


def test_an_error_is_told_with_the_users_innermost_line() -> None:
    """A test is as good as a user's module."""
    error = raised_by(fails)
    place = blame.place_of(error)
    assert place is not None
    assert (place.file, place.function) == (HERE, "fails")
    assert blame.tell(error) == (
        f"KeyError: 'no such field' ({HERE}, line {place.line}, in fails)"
    )


def test_lines_of_libraries_and_of_ours_are_passed_over() -> None:
    """What called them is told."""
    for work in (
        lambda: json.loads("{"),
        lambda: errors.check_number("x", 0, above=1),
        lambda: tf.zeros([2]) + tf.zeros([3]),
    ):
        place = blame.place_of(raised_by(work))
        assert place is not None
        assert (place.file, place.function) == (HERE, "<lambda>")


def test_an_error_that_was_raised_anew_is_told_by_its_cause() -> None:
    """As gin does, and whoever raises from another."""

    def again() -> None:
        try:
            fails()
        except KeyError as error:
            raise ValueError("it did not work") from error

    for work in (again, gin.external_configurable(fails, "fails_in_gin")):
        place = blame.place_of(raised_by(work))
        assert place is not None
        assert place.function == "fails"


def test_what_keras_and_autograph_put_around_an_error_is_taken_off() -> None:
    """The line is found in the text, if it is nowhere else."""

    def of_layer(inputs: tf.Tensor) -> tf.Tensor:
        raise ValueError("wrong units")

    told = blame.tell(raised_by(lambda: tf.keras.layers.Lambda(of_layer)(tf.ones([1]))))
    assert told.startswith("ValueError: wrong units (")
    assert told.endswith("in of_layer)")
    told = blame.tell(raised_by(lambda: tf.function(of_layer)(tf.ones([1]))))
    assert "wrong units (" in told
    assert HERE in told
    assert "\n" not in told


def test_long_texts_are_cut() -> None:
    """Some list all tensors."""
    assert len(blame.tell(ValueError("x" * 1_000))) < 250
    assert blame.tell(ValueError()) == "ValueError: it does not say why"
