"""Snapshots of the replay table on disk: kept, found again, cleaned up.

Reverb's checkpointer keeps one checkpoint, and deletes whatever else is in its folder
(reverb/cc/platform/tfrecord_checkpointer.cc). So it gets a folder of its own, and what
it has written is moved out of there, to a name that says which weights it belongs to.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import shutil
from pathlib import Path

from experiment import run_dir
from experiment.errors import ConfigurationError

# Snapshots that are kept. Each is about as large as the replay table.
_KEPT = 2

# What Reverb writes.
TABLES, ITEMS, CHUNKS, DONE = (
    "tables.tfrecord",
    "items.tfrecord",
    "chunks.tfrecord",
    "DONE",
)
_FILES = (TABLES, ITEMS, CHUNKS, DONE)

_RECORD = "snapshot.json"
_DISCARDED_AT = "discarded_at"


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """One stored replay table.

    Attributes:
      train_step: Of the learner's checkpoint that it belongs to.
      env_steps: Environment steps of the run, in transitions.
      sizes: Of its files, in bytes.
    """

    train_step: int
    env_steps: int
    sizes: dict[str, int]


class ReplaySnapshots:
    """The snapshots in the folder of a run."""

    def __init__(self, root_dir: Path, shard: int = 0) -> None:
        """Says where they are; nobody else uses these folders.

        Args:
          root_dir: Folder of the run.
          shard: Number of the replay server that they are of; 0 is the first.
        """
        folder = root_dir / run_dir.REPLAY_DIR
        if shard:
            folder /= f"shard-{shard}"
        self.folder_of_server = folder
        self.working = folder / "reverb"
        self._kept = folder / "snapshots"
        self._discarded = folder / "discarded"
        self._checkpoints = root_dir / run_dir.CHECKPOINTS

    def prepare(self, discard: bool = False) -> None:
        """Makes the folders, and removes what an unfinished snapshot left behind.

        Args:
          discard: Whether to put the snapshots aside, where nobody restores them.

        Raises:
          ConfigurationError: Something that is not Reverb's lies in Reverb's folder.
        """
        for folder in (self.working, self._kept):
            folder.mkdir(parents=True, exist_ok=True)
        for entry in self.working.iterdir():
            self._require_reverbs(entry)
        self.clear_working()
        for entry in self._kept.glob(".*"):
            shutil.rmtree(entry)
        if discard and self.are_there():
            shutil.rmtree(self._discarded, ignore_errors=True)
            self._kept.rename(self._discarded)
            self._kept.mkdir()
            logging.warning(
                "the replay table begins empty, as asked for; its snapshots are in %s",
                self._discarded,
            )

    @property
    def discarded_at(self) -> int | None:
        """The resume at which the snapshots were put aside last, as it was noted."""
        note = self.folder_of_server / _DISCARDED_AT
        return int(note.read_text()) if note.exists() else None

    def note_discard(self, resume: int) -> None:
        """Notes at which resume, by its number, the snapshots were put aside."""
        run_dir.write_text(self.folder_of_server / _DISCARDED_AT, str(resume))

    def folder(self, snapshot: Snapshot) -> Path:
        """Where its files are."""
        return self._kept / f"{snapshot.train_step:012d}"

    def keep(self, checkpoint: Path, train_step: int, env_steps: int) -> Snapshot:
        """Takes a checkpoint that Reverb has written, and drops the oldest of ours.

        Args:
          checkpoint: Its folder, in `working`.
          train_step: Of the weights that it belongs to.
          env_steps: Of the run.

        Returns:
          The snapshot.

        Raises:
          OSError: It cannot be read or moved, or is none of Reverb's: its path came
            over the network.
        """
        if checkpoint.resolve().parent != self.working.resolve():
            raise OSError(f"{checkpoint} is no checkpoint of this run's server")
        if not isinstance(train_step, int) or train_step < 0:
            raise OSError(f"{train_step!r} is no train step")
        sizes = {name: (checkpoint / name).stat().st_size for name in _FILES}
        snapshot = Snapshot(train_step, env_steps, sizes)
        record = json.dumps(dataclasses.asdict(snapshot), indent=2)
        run_dir.write_text(checkpoint / _RECORD, record)
        place = self.folder(snapshot)
        # Those of a later train step are of a future that the learner has left.
        for other in self._kept.glob("[0-9]*"):
            if int(other.name) >= train_step:
                self._set_aside(other)
        checkpoint.rename(place)
        for old in sorted(self._kept.glob("[0-9]*"))[:-_KEPT]:
            self._set_aside(old)
        return snapshot

    def clear_working(self) -> None:
        """Leaves Reverb nothing to load."""
        for entry in self.working.iterdir():
            shutil.rmtree(entry)

    def clean(self) -> None:
        """Removes what unfinished checkpoints of Reverb left behind, on a full disk."""
        with contextlib.suppress(OSError):  # The folder itself may be gone.
            for entry in self.working.iterdir():
                if not (entry / DONE).exists():
                    shutil.rmtree(entry, ignore_errors=True)

    def newest_first(self) -> list[Snapshot]:
        """All whose files are whole; those that belong to a checkpoint come first.

        The learner writes its checkpoint after the replay table. So a snapshot without
        one, where there are others, was cut off.
        """
        found = [self._read(folder) for folder in sorted(self._kept.glob("[0-9]*"))]
        whole = [snapshot for snapshot in reversed(found) if snapshot]
        return sorted(whole, key=lambda snapshot: not self._has_checkpoint(snapshot))

    def are_there(self) -> bool:
        """Whether there are any, whole or not."""
        return any(self._kept.glob("[0-9]*"))

    def _has_checkpoint(self, snapshot: Snapshot) -> bool:
        return (self._checkpoints / f"ckpt-{snapshot.train_step}.index").exists()

    def _read(self, folder: Path) -> Snapshot | None:
        """A snapshot whose files are as long as they were written; else logs why."""
        try:
            snapshot = Snapshot(**json.loads((folder / _RECORD).read_text()))
            sizes = {name: (folder / name).stat().st_size for name in _FILES}
        except (OSError, ValueError, TypeError) as error:
            logging.error("the replay snapshot %s is damaged: %s", folder, error)  # noqa: TRY400
            return None
        if sizes != snapshot.sizes:
            logging.error(
                "the replay snapshot %s is damaged: its files have %s bytes, but were "
                "written with %s",
                folder,
                sizes,
                snapshot.sizes,
            )
            return None
        return snapshot

    def _set_aside(self, folder: Path) -> None:
        """Deletes in two steps: a half-deleted one is not taken for a snapshot."""
        doomed = folder.with_name(f".{folder.name}")
        shutil.rmtree(doomed, ignore_errors=True)
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def _require_reverbs(self, entry: Path) -> None:
        """Refuses to delete, or to let Reverb delete, what is not Reverb's."""
        names = {file.name for file in entry.iterdir()} if entry.is_dir() else None
        # The record may have been cut off while it was written.
        names = names and {name for name in names if not name.startswith(f".{_RECORD}")}
        if names is None or not names <= {*_FILES, _RECORD}:
            raise ConfigurationError(
                f"{self.working} holds {entry.name}, which is no checkpoint of Reverb "
                "and would be deleted by it; move it away."
            )
