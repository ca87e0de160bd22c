"""experiment/presets.py: how a gin file is found."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from experiment import definition, presets
from experiment.errors import ConfigurationError


@pytest.mark.parametrize("name", ["dqn_cartpole.gin", "dqn_cartpole"])
def test_a_preset_is_found_by_its_name_from_any_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The presets belong to the checkout, not to the folder one is in."""
    monkeypatch.chdir(tmp_path)
    found = presets.find_preset(name)
    assert found == presets.PRESETS / "dqn_cartpole.gin"


def test_a_file_of_the_user_is_found_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative or absolute; what is returned is absolute."""
    (tmp_path / "mine").mkdir()
    mine = tmp_path / "mine" / "a b.gin"
    mine.touch()
    monkeypatch.chdir(tmp_path)
    assert presets.find_preset("mine/a b.gin") == mine
    assert presets.find_preset(str(mine)) == mine


def test_a_file_of_the_user_wins_over_a_preset_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is nearer."""
    mine = tmp_path / "dqn_cartpole.gin"
    mine.touch()
    monkeypatch.chdir(tmp_path)
    assert presets.find_preset("dqn_cartpole.gin") == mine


def test_a_file_of_the_user_may_include_a_preset_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And change some of it, from any folder."""
    path = tmp_path / "mine.gin"
    path.write_text("include 'dqn_cartpole.gin'\nReplay.batch_size = 17\n")
    monkeypatch.chdir(tmp_path)
    mine, preset = (
        definition.load_file(presets.find_preset(name), []).replay
        for name in ("mine.gin", "dqn_cartpole.gin")
    )
    assert mine == dataclasses.replace(preset, batch_size=17)


@pytest.mark.parametrize("name", ["dqn_cartpol.gin", "", "configs", "no/such.gin"])
def test_a_file_that_is_not_there_is_refused(name: str) -> None:
    """A folder is no file; the message lists the presets."""
    with pytest.raises(ConfigurationError) as raised:
        presets.find_preset(name)
    assert f"--gin_file is {name!r}" in str(raised.value)
    for each in presets.PRESETS.glob("*.gin"):
        assert each.name in str(raised.value)
