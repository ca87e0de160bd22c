"""learner/trainer.py: weights that are no numbers, and disks that take none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from experiment.errors import ConfigurationError, DivergedError
from learner.trainer import Trainer
from tests.learner.conftest import Learning, run_until
from tests.reverb_server.waiting import wait_until

CHECKOUT = Path(__file__).parents[2]


def checkpoints(learning: Learning) -> set[str]:
    """All files of the learner's checkpoints."""
    folder = learning.root_dir / "train" / "checkpoints"
    return {path.name for path in folder.glob("ckpt-*")}


def snapshots(learning: Learning) -> set[str]:
    """The replay tables that the server has kept, or is about to."""
    found = (learning.root_dir / "replay").glob("*/*")
    return {path.name for path in found}


def spoil(trainer: Trainer, value: float) -> tf.Variable:
    """Puts one number that is none into the target network."""
    variable = trainer.agent._target_q_network.variables[0]
    content = variable.numpy()
    content.flat[3] = value
    variable.assign(content)
    return variable


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_go_nowhere(
    value: float, learning: Learning
) -> None:
    """Neither to the actors nor to the disk; the error says which they are."""
    trainer = learning.build()
    variable = spoil(trainer, value)
    for way in (trainer.publish, trainer.save):
        with pytest.raises(DivergedError) as raised:
            way()
        message = str(raised.value)
        assert f"non-finite weights in {variable.name} at train step 0" in message
        assert "a smaller learning rate" in message
        assert "\n" not in message
    assert isinstance(raised.value, ConfigurationError)  # No restart would help.
    assert checkpoints(learning) == set()
    assert snapshots(learning) == set()

    variable.assign(tf.zeros_like(variable))
    trainer.publish()
    wait_until(lambda: learning.publications() == 1)
    learning.fill()
    run_until(trainer, 1)
    trainer.save()
    assert len(checkpoints(learning)) == 2


def test_the_table_is_stored_before_the_weights(learning: Learning) -> None:
    """So a checkpoint has its experience, whenever the process dies."""
    trainer = learning.build()
    learning.fill()
    run_until(trainer, 2)
    seen: list[tuple[int, set[str]]] = []
    store = trainer._store_replay

    def spy(train_step: int) -> None:
        seen.append((train_step, checkpoints(learning)))
        store(train_step)

    trainer._store_replay = spy
    trainer.save()
    assert seen == [(2, set())]
    assert len(checkpoints(learning)) == 2
    answers = iter([False, True])
    learning.run.server.serve(lambda seconds: next(answers))
    kept = learning.root_dir / "replay" / "snapshots"
    assert [path.name for path in kept.iterdir()] == ["000000000002"]


def test_a_checkpoint_that_failed_is_written_the_next_time(
    learning: Learning,
) -> None:
    """Also if nothing could be learned meanwhile; it may be the last of the run."""
    learning.fill()
    trainer = learning.build()
    run_until(trainer, 2)
    in_the_way = learning.root_dir / "train" / "checkpoints" / "ckpt-2.index"
    in_the_way.mkdir(parents=True)
    trainer.save()
    in_the_way.rmdir()
    trainer.save()
    assert in_the_way.is_file()
    assert learning.build().train_step == 2


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_training(
    learning: Learning, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that is in the way fails as a full disk does; later it may go well."""
    learning.fill()
    trainer = learning.build()
    run_until(trainer, 2)
    folder = learning.root_dir / "train" / "checkpoints"
    (folder / "ckpt-2.index").mkdir(parents=True)
    trainer.save()
    assert "train step 2 could not be stored, training goes on" in caplog.text
    run_until(trainer, 4)
    trainer.save()
    assert "ckpt-4.index" in checkpoints(learning)


# Trains and saves while no file may be larger than some bytes, then without a limit.
_SAVE = """
import resource, signal, sys, tempfile
from pathlib import Path
from tests.learner import conftest as learner_tests

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with learner_tests._learn(Path(sys.argv[1])) as learning:
    trainer = learning.build()
    learning.fill()
    learner_tests.run_until(trainer, 2)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    trainer.save()
    print("left", [path.name for path in Path(sys.argv[1]).rglob("ckpt-*")], flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    learner_tests.run_until(trainer, 4)
    trainer.save()
    again = learning.build()
    print("restored", again.train_step, flush=True)
"""


def test_a_full_disk_does_not_end_the_training(tmp_path: Path) -> None:
    """The file system refuses to let files grow, as it does when it is full."""
    ended = subprocess.run(
        [sys.executable, "-c", _SAVE, str(tmp_path / "run")],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "left []" in ended.stdout.splitlines()
    assert ended.stdout.splitlines()[-1] == "restored 4"
    assert "train step 2 could not be stored, training goes on" in ended.stderr
