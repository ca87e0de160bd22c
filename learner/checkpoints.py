"""The learner's checkpoints on disk: checked before TF-Agents restores the newest.

TF-Agents' Checkpointer fails on a damaged checkpoint although older ones are there, and
starts anew without a word if its state file is missing.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import tensorflow as tf

from experiment import run_dir
from experiment.errors import ConfigurationError, one_line
from experiment.manifest import Manifest

_PREFIX = "ckpt-"
_DAMAGED = "damaged-"


def prepare(root_dir: Path, manifest: Manifest) -> int | None:
    """Lets the newest checkpoint that can be read be the one that is restored.

    Damaged ones are renamed, and loudly; half-written ones are removed.

    Args:
      root_dir: Folder of the learner.
      manifest: Of the run.

    Returns:
      The train step of that checkpoint; None if there is none.

    Raises:
      ConfigurationError: They are of another run, or all are damaged.
    """
    folder = root_dir / run_dir.CHECKPOINTS
    run_dir.require_own(folder, manifest.run_id, "checkpoints", bool(_steps(folder)))
    remove_unfinished(folder)
    steps = _steps(folder)
    whole = [step for step in steps if _is_whole(folder, step)]
    if steps and not whole:
        raise ConfigurationError(
            f"no checkpoint in {folder} can be read ({len(steps)} are damaged); start "
            "a new run in another --root_dir."
        )
    for step in set(steps) - set(whole):
        _set_aside(folder, step)
    if not whole:
        if manifest.resumed:
            logging.error(
                "the run has stored something, but there is no checkpoint in %s: it "
                "begins with untrained weights; another --root_dir may have them",
                folder,
            )
        return None
    if manifest.replay_train_step not in (None, whole[-1]):
        logging.warning(
            "the weights are of train step %d, the replay table's snapshot of %d",
            whole[-1],
            manifest.replay_train_step,
        )
    paths = [f"{_PREFIX}{step}" for step in whole]
    tf.compat.v1.train.update_checkpoint_state(str(folder), paths[-1], paths)
    logging.info("the newest checkpoint is of train step %d", whole[-1])
    return whole[-1]


def remove_unfinished(folder: Path) -> None:
    """Removes what a learner that died, or a full disk, left behind.

    Args:
      folder: Of the checkpoints; the index of one is written last.
    """
    for unfinished in folder.glob(f"{_PREFIX}*_temp*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    for data in folder.glob(f"{_PREFIX}*.data-*"):
        if not data.with_suffix(".index").exists():
            data.unlink(missing_ok=True)


def _steps(folder: Path) -> list[int]:
    """Train steps of all checkpoints, oldest first."""
    numbers = [path.stem[len(_PREFIX) :] for path in folder.glob(f"{_PREFIX}*.index")]
    return sorted(int(number) for number in numbers if number.isdecimal())


def _is_whole(folder: Path, step: int) -> bool:
    """Whether all of a checkpoint can be read; its format has checksums."""
    try:
        reader = tf.train.load_checkpoint(str(folder / f"{_PREFIX}{step}"))
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    # What the C++ reader's codes come out as: IndexError for a file cut off.
    except (tf.errors.OpError, ValueError, IndexError, RuntimeError) as error:
        reason = one_line(error)
        logging.error(  # noqa: TRY400
            "the checkpoint of train step %d is damaged, so the one before is taken: "
            "%s",
            step,
            reason,
        )
        return False
    return True


def _set_aside(folder: Path, step: int) -> None:
    """Keeps the files, under names that no reader takes for a checkpoint."""
    for path in folder.glob(f"{_PREFIX}{step}.*"):
        path.rename(path.with_name(f"{_DAMAGED}{path.name}"))
