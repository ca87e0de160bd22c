"""launch/flags.py: from the flags to what a run is started with."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import portpicker
import pytest
from absl import flags
from absl.testing import flagsaver

from experiment import definition, presets
from experiment.errors import ConfigurationError
from experiment.learner_device import LearnerDevice
from experiment.manifest import Manifest
from launch import flags as launch_flags
from launch.options import Options

Read = Callable[..., Options]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads options as a launcher with these flags does, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def _read(*arguments: str) -> Options:
        with flagsaver.flagsaver():
            assert flags.FLAGS(["launch", *arguments]) == ["launch"]
            return launch_flags.read()

    return _read


def make_run(folder: Path, actors_elsewhere: int = 0) -> Manifest:
    """A folder that holds a run."""
    manifest = Manifest.new(
        gin_file="x.gin",
        gin_text="",
        root_dir=str(folder),
        seed=0,
        num_actors=2,
        actors_elsewhere=actors_elsewhere,
        resumed=False,
    )
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(manifest.to_json())
    return manifest


def test_without_flags_a_run_gets_the_defaults_and_a_new_folder(
    read: Read, tmp_path: Path
) -> None:
    """Preset and seed are the server's to choose."""
    options = read()
    assert options == Options(
        num_actors=2,
        actors_elsewhere=0,
        num_replay_servers=1,
        gin_file=None,
        gin_bindings=[],
        root_dir=options.root_dir,
        seed=None,
        port=None,
        metrics_address=None,
        isolate=False,
        in_process=False,
        quiet=False,
        resume=False,
        discard_replay=False,
        max_restarts=5,
        learner_device=LearnerDevice("auto", 1),
    )
    assert options.root_dir.is_absolute()
    assert options.root_dir.parent == tmp_path / "runs"
    assert options.root_dir.is_dir()


def test_each_flag_is_taken(read: Read, tmp_path: Path) -> None:
    """The folder as an absolute path, the preset as the file it is in."""
    (tmp_path / "mine.gin").touch()
    metrics_port = portpicker.pick_unused_port()
    options = read(
        "--num_actors=5",
        "--actors_elsewhere=2",
        "--gin_file=mine.gin",
        "--gin_bindings=a = 1",
        "--gin_bindings=b = [1, 2]",
        "--root_dir=some/where",
        "--seed=7",
        "--port=8008",
        f"--metrics_port={metrics_port}",
        "--max_restarts=9",
        "--learner_device=cpu",
        "--quiet",
    )
    assert options == Options(
        num_actors=5,
        actors_elsewhere=2,
        num_replay_servers=1,
        gin_file=str(tmp_path / "mine.gin"),
        gin_bindings=["a = 1", "b = [1, 2]"],
        root_dir=tmp_path / "some" / "where",
        seed=7,
        port=8008,
        metrics_address=("127.0.0.1", metrics_port),
        isolate=False,
        in_process=False,
        quiet=True,
        resume=False,
        discard_replay=False,
        max_restarts=9,
        learner_device=LearnerDevice("cpu"),
    )


def test_a_preset_is_found_by_its_name(read: Read) -> None:
    """From any folder."""
    name = presets.DEFAULT_PRESET
    assert read(f"--gin_file={name}").gin_file == str(presets.PRESETS / name)


def test_an_isolated_run_serves_no_figures(read: Read) -> None:
    """Whoever would fetch them could not reach it."""
    assert read("--isolate").isolate
    for host in ([], ["--metrics_host=0.0.0.0"]):
        with pytest.raises(ConfigurationError, match="--metrics_port cannot be given"):
            read("--isolate", "--metrics_port=9090", *host)


def test_no_more_actors_are_elsewhere_than_there_are(read: Read) -> None:
    """All may be; from a network of its own none can be."""
    assert read("--num_actors=3", "--actors_elsewhere=3").actors_here == 0
    assert read("--num_actors=3", "--actors_elsewhere=1").actors_here == 2
    for count in (-1, 4):
        with pytest.raises(ConfigurationError, match=f"--actors_elsewhere is {count};"):
            read("--num_actors=3", f"--actors_elsewhere={count}")
    with pytest.raises(ConfigurationError, match="cannot be given with --isolate"):
        read("--isolate", "--actors_elsewhere=1")


def test_one_process_has_one_actor(read: Read) -> None:
    """More cannot be asked for, for they would not be there."""
    options = read("--in_process")
    assert (options.in_process, options.num_actors) == (True, 1)
    with pytest.raises(ConfigurationError, match="--num_actors cannot be given"):
        read("--in_process", "--num_actors=2")
    with pytest.raises(ConfigurationError, match="GPU cannot be asked for with --in_"):
        read("--in_process", "--require_gpu")
    with pytest.raises(ConfigurationError, match="--num_replay_servers is 2, but"):
        read("--in_process", "--num_replay_servers=2")


def test_a_gpu_that_is_required_is_looked_for_before_anything_is_made(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorFlow is asked, which sees none here."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(ConfigurationError, match=r"^the learner is to train on 2 GPUs"):
        read("--learner_gpus=2")
    assert list(tmp_path.iterdir()) == []


def test_flags_that_stand_for_gin_values_win_over_all_others(read: Read) -> None:
    """They become bindings, for the run's gin text is the one home of both."""
    options = read(
        "--target_return=-100.5",
        "--max_train_steps=12",
        "--gin_bindings=Train.max_train_steps = 99",
        "--gin_bindings=Replay.batch_size = 16",
    )
    preset = presets.find_preset(presets.DEFAULT_PRESET)
    experiment = definition.load_file(preset, options.gin_bindings)
    assert experiment.evaluation.target_return == -100.5
    assert experiment.train.max_train_steps == 12
    assert experiment.replay.batch_size == 16


def test_two_starts_never_share_a_folder(read: Read) -> None:
    """Not even within one second."""
    assert len({read().root_dir for _ in range(5)}) == 5


def test_resume_goes_on_with_the_latest_run(read: Read, tmp_path: Path) -> None:
    """By its own name: `latest` may point to another one tomorrow."""
    make_run(tmp_path / "runs" / "older")
    make_run(tmp_path / "runs" / "newer")
    (tmp_path / "runs" / "latest").symlink_to("newer")
    options = read("--resume")
    assert options.resume
    assert options.root_dir == tmp_path / "runs" / "newer"


def test_a_resumed_run_keeps_who_is_elsewhere(read: Read, tmp_path: Path) -> None:
    """They may be still at work there: nobody else gets their numbers by accident."""
    make_run(tmp_path / "run", actors_elsewhere=1)
    resume = ("--resume", "--root_dir=run")
    kept = read(*resume)
    assert (kept.num_actors, kept.actors_elsewhere, kept.actors_here) == (2, 1, 1)
    assert read(*resume, "--num_actors=2").actors_elsewhere == 1
    assert read(*resume, "--in_process").actors_elsewhere == 0
    said = read(*resume, "--num_actors=4", "--actors_elsewhere=2")
    assert (said.num_actors, said.actors_elsewhere) == (4, 2)
    assert read(*resume, "--actors_elsewhere=0").actors_here == 2
    with pytest.raises(ConfigurationError, match="say by --actors_elsewhere how many"):
        read(*resume, "--num_actors=4")


def test_any_run_can_be_resumed_by_its_folder(read: Read, tmp_path: Path) -> None:
    """Whatever the latest is."""
    make_run(tmp_path / "runs" / "older")
    make_run(tmp_path / "runs" / "newer")
    (tmp_path / "runs" / "latest").symlink_to("newer")
    options = read("--resume", "--root_dir=runs/older")
    assert options.root_dir == tmp_path / "runs" / "older"


def test_a_resume_may_begin_with_an_empty_replay_table(
    read: Read, tmp_path: Path
) -> None:
    """That of a new run is empty anyway: whoever says so has meant another thing."""
    make_run(tmp_path / "run")
    assert not read("--resume", "--root_dir=run").discard_replay
    assert read("--resume", "--root_dir=run", "--discard_replay").discard_replay
    with pytest.raises(ConfigurationError, match="nothing without --resume"):
        read("--root_dir=new", "--discard_replay")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--num_actors=0"], "--num_actors is 0"),
        (["--num_replay_servers=0"], "--num_replay_servers is 0"),
        (["--max_restarts=-1"], "--max_restarts is -1"),
        (["--port=0"], "--port is 0"),
        (["--port=65536"], "--port is 65536"),
        (["--metrics_port=0"], "--metrics_port is 0"),
        (["--metrics_host=0.0.0.0"], "means nothing without --metrics_port"),
        (["--max_train_steps=0"], "--max_train_steps is 0"),
        (["--target_return=nan"], "--target_return is nan"),
        (["--target_return=inf"], "--target_return is inf"),
        (["--gin_file=none.gin"], "--gin_file is 'none.gin'"),
        (["--root_dir="], "--root_dir is required"),
        (["--resume"], "holds no run"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_flag(
    arguments: list[str], said: str, read: Read
) -> None:
    """Before anything is started."""
    with pytest.raises(ConfigurationError) as raised:
        read(*arguments)
    assert said in str(raised.value)


def test_a_wrong_value_leaves_no_folder(read: Read, tmp_path: Path) -> None:
    """The folder is made last."""
    for wrong in ("--num_actors=0", "--gin_file=none.gin", "--max_train_steps=-1"):
        with pytest.raises(ConfigurationError):
            read(wrong)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_run_is_not_taken_for_another(
    read: Read, tmp_path: Path
) -> None:
    """Unless it is to go on."""
    run_id = make_run(tmp_path / "used").run_id
    with pytest.raises(ConfigurationError, match=f"holds the run {run_id} already"):
        read("--root_dir=used")
    assert read("--root_dir=used", "--resume").root_dir == tmp_path / "used"
