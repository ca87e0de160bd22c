"""experiment/run_start.py: a run that begins, and one that goes on.

What is checked once its experiment is built: test_settle.py.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from experiment import definition, presets, run_dir, run_start
from experiment.definition import Experiment
from experiment.errors import ConfigurationError
from experiment.manifest import DEFAULT_SEED, Manifest


def start(root_dir: Path, **changes: Any) -> tuple[Experiment, Manifest]:
    """Starts a run by the default preset, but for these changes."""
    arguments: dict[str, Any] = {
        "gin_file": None,
        "gin_bindings": [],
        "seed": None,
        "num_actors": 2,
        "resume": False,
    }
    return run_start.start_run(root_dir, **{**arguments, **changes})


@pytest.fixture
def earlier(tmp_path: Path) -> Manifest:
    """A run whose manifest is in the folder; its gin file is there no more."""
    gin_file = tmp_path / "mine.gin"
    gin_file.write_text("Replay.batch_size = 32\nTrain.steps_per_call = 5\n")
    _, manifest = start(
        tmp_path,
        gin_file=str(gin_file),
        gin_bindings=["Collect.envs_per_actor = 3"],
        seed=9,
    )
    gin_file.unlink()
    run_dir.write_text(tmp_path / run_dir.MANIFEST, manifest.to_json())
    return manifest


def test_without_flags_it_is_the_default_preset(tmp_path: Path) -> None:
    """And the default seed."""
    experiment, manifest = start(tmp_path)
    assert manifest.gin_file == presets.DEFAULT_PRESET
    assert (manifest.seed, manifest.resumed) == (DEFAULT_SEED, False)
    assert (manifest.root_dir, manifest.num_actors) == (str(tmp_path), 2)
    preset = definition.load_file(presets.PRESETS / presets.DEFAULT_PRESET)
    assert experiment.train == preset.train
    assert experiment.evaluation == preset.evaluation


def test_the_manifest_has_the_text_of_what_is_built(earlier: Manifest) -> None:
    """File and bindings, the latter winning; any role builds the same from it."""
    assert (earlier.gin_file, earlier.seed) == ("mine.gin", 9)
    experiment = definition.load_text(earlier.gin_text)
    assert experiment.replay.batch_size == 32
    assert experiment.train.steps_per_call == 5
    assert experiment.collect.envs_per_actor == 3


@pytest.mark.parametrize("seed", [0, 7])
def test_a_seed_that_is_given_is_taken(tmp_path: Path, seed: int) -> None:
    """Also 0, which is no absence."""
    assert start(tmp_path, seed=seed)[1].seed == seed


@pytest.mark.usefixtures("earlier")
def test_a_resumed_run_keeps_its_preset_and_seed(tmp_path: Path) -> None:
    """Without its gin file; the number of actors may be another."""
    experiment, manifest = start(tmp_path, resume=True, num_actors=5)
    assert (manifest.gin_file, manifest.seed) == ("mine.gin", 9)
    assert not manifest.resumed  # Nothing was stored yet.
    assert manifest.num_actors == 5
    assert experiment.replay.batch_size == 32
    assert experiment.collect.envs_per_actor == 3


def test_a_resumed_run_is_the_same_run(earlier: Manifest, tmp_path: Path) -> None:
    """By its id; each server it has is counted."""
    _, second = start(tmp_path, resume=True)
    assert second.run_id == earlier.run_id
    assert (earlier.server_start, second.server_start) == (1, 2)
    run_dir.write_text(tmp_path / run_dir.MANIFEST, second.to_json())
    _, third = start(tmp_path, resume=True)
    assert (third.run_id, third.server_start) == (earlier.run_id, 3)


def test_the_clock_of_a_run_stands_still_while_it_does(
    earlier: Manifest, tmp_path: Path
) -> None:
    """It had run for 100 s when it was heard of last, a long time ago."""
    old = dataclasses.replace(earlier, started_at=1_000.0)
    run_dir.write_text(tmp_path / run_dir.MANIFEST, old.to_json())
    (tmp_path / run_dir.METRICS).touch()
    os.utime(tmp_path / run_dir.METRICS, (1_100, 1_100))
    _, resumed = start(tmp_path, resume=True)
    assert 100 <= resumed.wall_time_s() < 150
    [[begin, end]] = resumed.pauses
    assert (begin, end - begin) == (1_100, resumed.started_at - 1_000)


@pytest.mark.usefixtures("earlier")
def test_whether_roles_share_a_process_is_that_of_the_newest_start(
    tmp_path: Path,
) -> None:
    """A run may be resumed in another way than it was started."""
    assert not start(tmp_path, resume=True)[1].in_process
    assert start(tmp_path, resume=True, in_process=True)[1].in_process


def test_a_server_that_takes_the_place_of_another_changes_nothing_else(
    earlier: Manifest, tmp_path: Path
) -> None:
    """Not the clock, nor whether the run was resumed."""
    stored = dataclasses.replace(earlier, weights=["float32[2]"], changes=["a"])
    run_dir.write_text(tmp_path / run_dir.MANIFEST, stored.to_json())
    experiment, manifest = run_start.restart_run(tmp_path)
    assert manifest == dataclasses.replace(stored, server_start=2, changes=[])
    assert experiment.replay.batch_size == 32
    assert experiment.collect.envs_per_actor == 3


@pytest.mark.usefixtures("earlier")
def test_new_bindings_of_a_resumed_run_win_over_the_old(tmp_path: Path) -> None:
    """And are in the manifest, so for all roles."""
    experiment, manifest = start(
        tmp_path,
        resume=True,
        gin_bindings=["Collect.envs_per_actor = 4", "Train.max_train_steps = 10"],
    )
    assert experiment.collect.envs_per_actor == 4
    assert experiment.train.max_train_steps == 10
    assert experiment.train.steps_per_call == 5
    again = definition.load_text(manifest.gin_text)
    assert again.collect == experiment.collect
    assert again.train == experiment.train


@pytest.mark.usefixtures("earlier")
@pytest.mark.parametrize(
    ("flag", "value"), [("gin_file", "dqn_cartpole.gin"), ("seed", 9), ("seed", 0)]
)
def test_what_a_resumed_run_has_cannot_be_given_anew(
    tmp_path: Path, flag: str, value: Any
) -> None:
    """It would be ignored, or half of a run be another than the rest."""
    with pytest.raises(ConfigurationError, match=f"--{flag}={value} cannot be given"):
        start(tmp_path, resume=True, **{flag: value})


def test_a_preset_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """By its flag."""
    with pytest.raises(ConfigurationError, match=r"--gin_file is 'none\.gin'"):
        start(tmp_path, gin_file="none.gin")


def test_a_wrong_binding_is_refused(tmp_path: Path) -> None:
    """As in the file."""
    with pytest.raises(ConfigurationError, match="nope"):
        start(tmp_path, gin_bindings=["Replay.nope = 1"])


def test_modules_beside_the_gin_file_are_found_by_all_processes_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the folder in the manifest, and after all other places."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "lies_beside.py").write_text("")
    (folder / "mine.gin").write_text("import lies_beside\nReplay.batch_size = 32\n")
    _, manifest = start(tmp_path, gin_file=str(folder / "mine.gin"))
    assert sys.path[-1] == manifest.gin_folder == str(folder)
    # Another process, which has nothing but the manifest.
    sys.path.remove(str(folder))
    del sys.modules["lies_beside"]
    read = Manifest.from_json(manifest.to_json())
    assert definition.load_run(read).replay.batch_size == 32
    assert "lies_beside" in sys.modules
    assert definition.load_run(read, ["Replay.batch_size = 64"]).replay.batch_size == 64
    assert sys.path.count(str(folder)) == 1


def test_how_many_actors_are_elsewhere_is_kept_with_the_run(
    tmp_path: Path, earlier: Manifest
) -> None:
    """As it was said last: a launcher that resumes it reads it there."""
    assert earlier.actors_elsewhere == 0
    _, resumed = start(tmp_path, resume=True, actors_elsewhere=1)
    assert resumed.actors_elsewhere == 1
    assert resumed.changes == ["--actors_elsewhere was 0, is 1"]
    run_dir.write_text(tmp_path / run_dir.MANIFEST, resumed.to_json())
    _, restarted = run_start.restart_run(tmp_path)
    assert restarted.actors_elsewhere == 1


def test_a_resumed_run_keeps_its_replay_servers(tmp_path: Path) -> None:
    """Where they are now is not known yet; another number is refused, with its own."""
    _, before = start(tmp_path, num_replay_servers=3)
    assert before.replay_shards == ["", ""]
    served = dataclasses.replace(before, replay_shards=["a:1", "b:2"])
    run_dir.write_text(tmp_path / run_dir.MANIFEST, served.to_json())
    for asked in (None, 3):
        _, resumed = start(tmp_path, resume=True, num_replay_servers=asked)
        assert resumed.replay_shards == ["", ""]
    assert run_start.restart_run(tmp_path)[1].replay_shards == ["a:1", "b:2"]
    for asked in (1, 2):
        with pytest.raises(ConfigurationError, match="leave the flag out, or set it"):
            start(tmp_path, resume=True, num_replay_servers=asked)
    with pytest.raises(ConfigurationError, match="go on with it without --in_process"):
        start(tmp_path, resume=True, in_process=True)
