"""experiment/gymnasium_environment.py: what it refuses, and what it says then."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from experiment.errors import ConfigurationError
from experiment.gymnasium_environment import gymnasium_environment
from tests.experiment.test_gymnasium_environment import needs_gymnasium


@needs_gymnasium
@pytest.mark.parametrize(
    ("name", "arguments", "what"),
    [
        ("CartPol-v1", None, "did you mean CartPole"),
        ("nomodule:CartPole-v1", None, "did you mean CartPole-v1"),
        ("", None, "did you mean"),
        (None, None, "it must be a name"),
        (["CartPole-v1"], None, "it must be a name"),
        ("LunarLander-v3", None, "install what it needs"),
        ("CartPole-v1", {"gravity": 1}, "other arguments"),
    ],
)
def test_what_gymnasium_cannot_make_is_refused(
    name: Any, arguments: Any, what: str
) -> None:
    """On one line, with what was written."""
    with pytest.raises(ConfigurationError) as raised:
        gymnasium_environment(name, arguments=arguments)
    first = str(raised.value).splitlines()[0]  # The others are gin's.
    assert first.startswith(f"gymnasium_environment.name is {name!r}")
    assert what in first


@pytest.mark.parametrize("limit", [-1, 0.5, "200", True])
def test_a_time_limit_that_is_none_is_refused(limit: Any) -> None:
    """The gin parameter is named."""
    with pytest.raises(ConfigurationError, match=r"t\.max_episode_steps is"):
        gymnasium_environment("CartPole-v1", limit)


@pytest.mark.parametrize("arguments", [[], "a", {1: 2}])
def test_arguments_have_names(arguments: Any) -> None:
    """The gin parameter is named."""
    with pytest.raises(ConfigurationError, match=r"environment\.arguments is"):
        gymnasium_environment("CartPole-v1", arguments=arguments)


def test_without_gymnasium_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other environments need it not: nothing imports it before."""
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ConfigurationError, match=r"-e '\.\[gymnasium\]'"):
        gymnasium_environment("CartPole-v1")
