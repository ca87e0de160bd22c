"""learner/checkpoints.py: what a trainer is restored from, whatever became of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
import tensorflow as tf

from experiment.errors import ConfigurationError
from experiment.manifest import Manifest
from learner import checkpoints
from learner.trainer import Trainer
from tests.learner.conftest import Learning, run_until

RUN = Manifest.new(
    gin_file="x.gin", gin_text="", root_dir="/x", seed=0, num_actors=1, resumed=False
)


def folder_of(root_dir: Path) -> Path:
    """TF-Agents' own place."""
    return root_dir / "train" / "checkpoints"


def names(root_dir: Path) -> set[str]:
    """All that lies there."""
    return {path.name for path in folder_of(root_dir).iterdir()}


def store(root_dir: Path, *steps: int, size: int = 100) -> None:
    """Stores checkpoints as TF-Agents' Checkpointer does."""
    variable = tf.Variable(tf.random.normal([size]))
    folder = folder_of(root_dir)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(weights=variable), str(folder), max_to_keep=3
    )
    for step in steps:
        manager.save(checkpoint_number=step)
    (folder / "run_id").write_text(RUN.run_id)


def cut(path: Path) -> None:
    """Loses its end."""
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    """Changes one bit in its midst."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def remove(path: Path) -> None:
    """It is gone."""
    path.unlink()


DATA, INDEX = "data-00000-of-00001", "index"


def test_a_new_run_has_none(tmp_path: Path) -> None:
    """Its folder is marked as its own."""
    assert checkpoints.prepare(tmp_path, RUN) is None
    assert names(tmp_path) == {"run_id"}
    assert checkpoints.prepare(tmp_path, RUN) is None


def test_the_newest_is_by_its_number(tmp_path: Path) -> None:
    """Not by its name: 900 comes before 1,000. Nothing is changed."""
    store(tmp_path, 800, 900, 1_000)
    before = names(tmp_path)
    assert checkpoints.prepare(tmp_path, RUN) == 1_000
    assert names(tmp_path) == before
    newest = tf.train.latest_checkpoint(str(folder_of(tmp_path)))
    assert Path(newest).name == "ckpt-1000"


def test_one_without_an_index_was_never_finished(tmp_path: Path) -> None:
    """The index is written last: it is removed, and nothing was lost."""
    store(tmp_path, 10, 20)
    (folder_of(tmp_path) / f"ckpt-20.{INDEX}").unlink()
    assert checkpoints.prepare(tmp_path, RUN) == 10
    assert not [name for name in names(tmp_path) if "20" in name]


@pytest.mark.parametrize(
    ("damage", "part"),
    [(cut, DATA), (cut, INDEX), (flip, DATA), (flip, INDEX), (remove, DATA)],
)
def test_a_damaged_one_gives_way_and_is_kept(
    part: str,
    damage: Callable[[Path], None],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Under another name, and with a loud word."""
    store(tmp_path, 10, 20, 30)
    damage(folder_of(tmp_path) / f"ckpt-30.{part}")
    assert checkpoints.prepare(tmp_path, RUN) == 20
    assert "checkpoint of train step 30 is damaged" in caplog.text
    left = {name for name in names(tmp_path) if "30" in name}
    wanted = {f"damaged-ckpt-30.{each}" for each in (DATA, INDEX)}
    assert left == wanted - ({f"damaged-ckpt-30.{part}"} if damage is remove else set())
    newest = tf.train.latest_checkpoint(str(folder_of(tmp_path)))
    assert Path(newest).name == "ckpt-20"
    assert checkpoints.prepare(tmp_path, RUN) == 20


def test_if_all_are_damaged_the_run_is_refused(tmp_path: Path) -> None:
    """It would start from nothing, and look as if it had gone on."""
    store(tmp_path, 10, 20)
    before = names(tmp_path)
    for step in (10, 20):
        cut(folder_of(tmp_path) / f"ckpt-{step}.{DATA}")
    with pytest.raises(ConfigurationError, match=r"2 are damaged") as raised:
        checkpoints.prepare(tmp_path, RUN)
    assert str(folder_of(tmp_path)) in str(raised.value)
    assert names(tmp_path) == before


def test_half_written_ones_are_removed(tmp_path: Path) -> None:
    """A process that is killed leaves them behind, as large as a whole one."""
    store(tmp_path, 10)
    (folder_of(tmp_path) / "ckpt-20_temp").mkdir()
    (folder_of(tmp_path) / "ckpt-20_temp" / "part-0").touch()
    (folder_of(tmp_path) / "ckpt-30_temp-1a2b").mkdir()
    assert checkpoints.prepare(tmp_path, RUN) == 10
    assert not [name for name in names(tmp_path) if "temp" in name]


@pytest.mark.parametrize("owner", ["20250101-other", None])
def test_those_of_another_run_are_refused(owner: str | None, tmp_path: Path) -> None:
    """With the names of both; they are left as they are."""
    store(tmp_path, 10)
    mark = folder_of(tmp_path) / "run_id"
    mark.unlink()
    if owner:
        mark.write_text(owner)
    before = names(tmp_path)
    with pytest.raises(ConfigurationError) as raised:
        checkpoints.prepare(tmp_path, RUN)
    message = str(raised.value)
    assert f"checkpoints of run {owner or 'of unknown name'}, " in message
    assert f"the server's is {RUN.run_id};" in message
    assert names(tmp_path) == before


def weights(trainer: Trainer) -> list[np.ndarray]:
    """Of the policy, and the train step."""
    return [variable.numpy() for variable in tf.nest.flatten(trainer.weights)]


def test_a_real_trainer_is_restored_from_what_is_whole(
    learning: Learning, caplog: pytest.LogCaptureFixture
) -> None:
    """Also if nothing says which checkpoint is the newest one."""
    learning.fill()
    trainer = learning.build()
    saved = {}
    for step in (2, 4, 6):
        run_until(trainer, step)
        trainer.save()
        saved[step] = weights(trainer)
    folder = folder_of(learning.root_dir)
    cut(folder / f"ckpt-6.{DATA}")
    (folder / "ckpt-8_temp").mkdir()
    restored = learning.build()
    assert restored.train_step == 4
    np.testing.assert_equal(weights(restored), saved[4])
    assert "train step 6 is damaged" in caplog.text
    assert f"damaged-ckpt-6.{DATA}" in names(learning.root_dir)

    (folder / "checkpoint").unlink()
    assert learning.build().train_step == 4


def test_a_trainer_does_not_go_on_with_another_run(learning: Learning) -> None:
    """A learner may be given the folder of another server's run."""
    checkpoints.prepare(learning.root_dir, RUN)
    with pytest.raises(ConfigurationError, match=f"of run {RUN.run_id}, but"):
        learning.build()
