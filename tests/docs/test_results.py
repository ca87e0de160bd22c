"""docs/results.md: what every preset has learned, and by which command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import results_page
from experiment import presets
from tests.docs.markdown import ROOT

PRESETS = list(presets.PRESETS.glob("*.gin"))
RESULTS = ROOT / "docs" / "results.md"


# What a preset has to reach, as the mean of five seeds. Nobody has the hours for Pong.
WANTED = {
    "dqn_cartpole": 475,
    "plain_dqn_cartpole": 475,
    "dueling_dqn_cartpole": 475,
    "n_step_dqn_cartpole": 475,
    "prioritized_dqn_cartpole": 475,
    "c51_cartpole": 475,
    "apex_dqn_cartpole": 475,
    "ppo_cartpole": 475,
    "recurrent_dqn_cartpole": 400,
    "dqn_cartpole_tutorial": 195,  # Of CartPole-v0, whose best is 200.
    "dqn_acrobot": -100,
    "dqn_mountain_car": -110,
    "dqn_lunar_lander": 200,
    "sac_pendulum": -200,
    "td3_pendulum": -200,
    "ddpg_pendulum": -200,
}


def rows() -> dict[str, dict[str, str]]:
    """The rows of the table, by name."""
    return {row["name"]: row for row in results_page.rows(RESULTS)}


@pytest.mark.parametrize("path", sorted(PRESETS), ids=lambda path: path.stem)
def test_each_preset_has_its_results(path: Path) -> None:
    """With the curve, and the command that names the preset."""
    row = rows()[path.stem]
    assert f"--preset={path.name} " in row["command"]
    assert re.fullmatch("[0-9a-f]{7}", row["commit"])
    assert (RESULTS.parent / "images" / "results" / f"{path.stem}.png").is_file()


@pytest.mark.parametrize("name", sorted({each.stem for each in PRESETS} - {"dqn_pong"}))
def test_each_preset_has_reached_what_is_wanted(name: str) -> None:
    """Five seeds, on fresh episodes."""
    row = rows()[name]
    assert row["seeds"] == "5"
    assert float(row["return"]) >= WANTED[name]
