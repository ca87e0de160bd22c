"""experiment/flags.py: the checks that absl does not make."""

from __future__ import annotations

import pytest

from experiment import flags
from experiment.errors import ConfigurationError


@pytest.mark.parametrize("value", [None, ""])
def test_a_flag_that_must_be_given_is_asked_for(value: str | None) -> None:
    """To absl an empty one is given; the message shows how it is written."""
    with pytest.raises(ConfigurationError, match="--root_dir is required") as raised:
        flags.required("root_dir", value, "runs/my_run")
    assert "--root_dir=runs/my_run" in str(raised.value)


def test_a_flag_that_was_given_is_taken() -> None:
    """As it is."""
    assert flags.required("root_dir", "runs/x", "runs/my_run") == "runs/x"


@pytest.mark.parametrize("value", [0, -1])
def test_a_run_needs_an_actor(value: int) -> None:
    """The message names the flag."""
    with pytest.raises(ConfigurationError, match="--num_actors is"):
        flags.check_num_actors(value)


def test_one_actor_is_enough() -> None:
    """No ConfigurationError."""
    flags.check_num_actors(1)
