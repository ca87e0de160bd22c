"""experiment/envpool_environment.py: what it refuses, and what it says then."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from experiment import envpool_environment
from experiment.errors import ConfigurationError
from tests.experiment.made_presets import needs_envpool
from tests.experiment.test_envpool_environment import make


@needs_envpool
@pytest.mark.parametrize("name", ["CartPol-v1", "cartpole-v1", "CartPole"])
def test_an_unknown_name_is_answered_with_what_was_meant(name: str) -> None:
    """On one line, with what was written."""
    with pytest.raises(ConfigurationError) as raised:
        make(name)
    first = str(raised.value).splitlines()[0]  # The others are gin's.
    assert first.startswith(f"envpool_environment.name is {name!r}")
    assert "CartPole-v1" in first.split("did you mean")[1]


@pytest.mark.parametrize("name", [None, 1, ["CartPole-v1"]])
def test_a_name_is_a_text(name: Any) -> None:
    """The gin parameter is named."""
    with pytest.raises(ConfigurationError, match=r"envpool_environment\.name is"):
        make(name)


@pytest.mark.parametrize("limit", [-1, 0.5, "200", True])
def test_a_time_limit_that_is_none_is_refused(limit: Any) -> None:
    """The gin parameter is named."""
    with pytest.raises(ConfigurationError, match=r"\.max_episode_steps is"):
        make(limit=limit)


@pytest.mark.parametrize("threads", [0, -1, 1.5, None])
def test_threads_are_counted(threads: Any) -> None:
    """The gin parameter is named."""
    with pytest.raises(ConfigurationError, match=r"\.num_threads is"):
        envpool_environment.envpool_environment("CartPole-v1", num_threads=threads)


@needs_envpool
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("D1Basic-v1", "whose actions have no bounds"),
        ("VizdoomCustom-v1", r"which cannot be made \(.*does not exist"),
    ],
)
def test_what_no_policy_can_act_in_is_refused(name: str, why: str) -> None:
    """VizDoom has no bounds, or needs more than a name."""
    with pytest.raises(ConfigurationError, match=why):
        make(name)


def test_without_envpool_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other environments need it not: nothing imports it before."""
    monkeypatch.setitem(sys.modules, "envpool", None)
    with pytest.raises(ConfigurationError, match=r"-e '\.\[envpool\]'"):
        make()
