"""launch/check/stages.py: a whole check, and combinations that cannot work."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from experiment import devices, presets
from experiment.errors import ConfigurationError
from launch.check.show import Title
from launch.check.stages import Stages
from launch.doctor.finding import FAIL, OK, WARN, Finding
from tests.launch.check import faulty
from tests.launch.check.test_environment import options

# A module of a user's, in a folder that only the gin file beside it tells.
MODULE = """
import gin
import tensorflow as tf
from tf_agents.networks import sequential
from tests.launch.check import faulty


@gin.configurable
def walk(kind="Walk"):
    return getattr(faulty, kind)()


@gin.configurable
def never_called(number=0):
    return number


@gin.configurable
def wrong_network(observation_spec, action_spec):
    return 1 / 0


@gin.configurable
def three_values(observation_spec, action_spec):
    return sequential.Sequential([tf.keras.layers.Dense(3)])


@gin.configurable
def no_network(observation_spec, action_spec):
    return observation_spec
"""

SMALL = ["q_network.layers = (8,)", "Collect.envs_per_actor = 2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's two files; gin takes a module only once."""
    made = tmp_path_factory.mktemp("mine")
    (made / "walking.py").write_text(MODULE)
    (made / "walking.gin").write_text(
        "import walking\nExperiment.environment = @walking.walk\n"
    )
    return made


@pytest.fixture
def preset(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The gin file; where modules are looked for is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(devices, "use_one_cpu_thread", lambda: None)
    return folder / "walking.gin"


def check(path: Path, folder: Path, *bindings: str, **flags: Any) -> list[Finding]:
    """All findings of a check."""
    started_with = options(gin_file=path, gin_bindings=[*bindings], episodes=2, **flags)
    found = Stages(started_with, folder / "run").findings()
    return [each for each in found if not isinstance(each, Title)]


def test_all_that_a_run_needs_is_built_and_tried(preset: Path, tmp_path: Path) -> None:
    """To the first gradient steps and a checkpoint."""
    unused = "walking.never_called.number = 1"
    found = check(preset, tmp_path, *SMALL, "Train.jit_compile = False", unused)
    [warning] = [finding for finding in found if finding.level != OK]
    assert str(warning).startswith("warn  binding     walking.never_called.number (")
    assert f": {unused}) was not taken by anything in this trial" in str(warning)
    texts = {finding.name: finding.text for finding in found}
    # 2 * 8 + 8 weights and biases of a layer, 8 * 2 + 2 of the other.
    assert texts["q_network"] == "42 parameters, Sequential"
    # The same of the target network does not travel: 42 numbers of 4 bytes.
    assert texts["weights"].startswith("84 parameters in all; 168 bytes travel")
    assert texts["step"].startswith("40 bytes: step_type:int32(), ")
    assert texts["item"] == "8 windows of 2 steps, as uint8[16x40]"
    assert texts["table"] == "12,500 items at most; sampler uniform, remover fifo"
    assert texts["signatures"] == (
        "replay steps:uint8(16,40); variables 5 columns; run string(); end 6 columns; "
        "telemetry string()"
    )
    assert texts["limiter"] == "samples from 1,000 transitions on, 8 for each insert"
    # Each step lies in two windows: 100,000 * 2 * 40 bytes, and what Reverb adds.
    assert texts["memory"].startswith("a full table has about 27.1 MB")
    assert "the first batch sampled" in texts["collect"]
    assert texts["train"].startswith("loss ")


def test_what_the_users_code_raises_is_told_with_its_line(
    preset: Path, tmp_path: Path
) -> None:
    """And what does not depend on it is checked all the same."""
    found = check(preset, tmp_path, *SMALL, "walking.walk.kind = 'Raises'")
    [failed] = [each for each in found if each.level == FAIL]
    assert failed.text.startswith("KeyError: 'no such field' (")
    assert f"{Path(faulty.__file__).resolve()}, line " in failed.text
    assert {"agent", "table", "memory"} <= {each.name for each in found}
    assert "train" not in {each.name for each in found}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrong_network", "ZeroDivisionError: division by zero ("),
        ("three_values", "which gives float32[3]; bind a network that gives one Q"),
        ("no_network", "makes BoundedTensorSpec, no Network; bind a network that"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_in_one_line(
    name: str, said: str, preset: Path, tmp_path: Path
) -> None:
    """With the line of the user's code if that has failed."""
    found = check(preset, tmp_path, f"dqn_agent.network = @walking.{name}")
    [failed] = [each for each in found if each.level == FAIL]
    assert failed.text.startswith(f"dqn_agent.network is @{name}, which ")
    assert said in failed.text
    assert "\n" not in str(failed)
    if "division" in said:
        assert f"{preset.with_suffix('.py')}, line 20, in wrong_network" in failed.text


def test_a_gin_file_that_cannot_be_loaded_is_refused_as_by_a_run(
    preset: Path, tmp_path: Path
) -> None:
    """Also if a module of the user's raises, with its line."""
    with pytest.raises(ConfigurationError, match="No configurable matching"):
        check(preset, tmp_path, "Experiment.agent = @no_such_agent")
    module = tmp_path / "breaking.py"
    module.write_text("\n1 / 0\n")
    path = module.with_suffix(".gin")
    path.write_text("import breaking\n")
    with pytest.raises(ConfigurationError) as raised:
        check(path, tmp_path)
    said = str(raised.value)
    assert said.startswith("gin: ZeroDivisionError: division by zero")
    assert f"({module}, line 2, in <module>)" in said


def test_what_would_be_collected_in_vain_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three actors fill more than a batch of the preset with the same weights."""
    monkeypatch.setattr(devices, "use_one_cpu_thread", lambda: None)
    monkeypatch.setattr(Stages, "_trial", lambda *_: iter(()))
    found = check(presets.PRESETS / "ppo_cartpole.gin", tmp_path, num_actors=3)
    [batch] = [each for each in found if each.name == "batch" and each.level == WARN]
    assert "3 actors with 8 environments collect 24 windows" in batch.text
    assert batch.remedy == "set it to 24"


@pytest.mark.parametrize("name", ["sac_pendulum.gin", "recurrent_dqn_cartpole.gin"])
def test_presets_are_built_with_all_their_networks(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as it takes no training."""
    monkeypatch.setattr(devices, "use_one_cpu_thread", lambda: None)
    monkeypatch.setattr(Stages, "_trial", lambda *_: iter(()))
    found = check(presets.PRESETS / name, tmp_path)
    assert FAIL not in {finding.level for finding in found}, found
    names = [finding.name for finding in found]
    wanted: Any = {
        "sac_pendulum.gin": {"actor_network", "critic_network_1", "critic_network_2"},
        "recurrent_dqn_cartpole.gin": {"q_network", "target_q_network"},
    }
    assert wanted[name] <= set(names)
