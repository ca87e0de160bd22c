"""experiment/flags.py: the checks that absl does not make."""

from __future__ import annotations

import pytest
from absl import flags

from experiment import flags as shared_flags
from experiment.errors import ConfigurationError


@pytest.fixture
def root_dir() -> flags.FlagHolder[str | None]:
    """A flag as mains define it."""
    values = flags.FlagValues()
    holder = flags.DEFINE_string("root_dir", None, "x", flag_values=values)
    values.mark_as_parsed()
    return holder


@pytest.mark.parametrize("value", [None, ""])
def test_a_flag_that_must_be_given_is_asked_for(
    root_dir: flags.FlagHolder[str | None], value: str | None
) -> None:
    """To absl an empty one is given; the message shows how it is written."""
    root_dir._flagvalues["root_dir"].value = value
    with pytest.raises(ConfigurationError, match="--root_dir is required") as raised:
        shared_flags.required(root_dir, "runs/my_run")
    assert "--root_dir=runs/my_run" in str(raised.value)


def test_a_flag_that_was_given_is_taken(
    root_dir: flags.FlagHolder[str | None],
) -> None:
    """As it is."""
    root_dir._flagvalues["root_dir"].value = "runs/x"
    assert shared_flags.required(root_dir, "runs/my_run") == "runs/x"


@pytest.mark.parametrize("value", [0, -1])
def test_a_run_needs_an_actor(value: int) -> None:
    """The message names the flag."""
    with pytest.raises(ConfigurationError, match="--num_actors is"):
        shared_flags.check_num_actors(value)


def test_one_actor_is_enough() -> None:
    """No ConfigurationError."""
    shared_flags.check_num_actors(1)
