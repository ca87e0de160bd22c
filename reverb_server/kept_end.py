"""The end of a run, kept in its folder: a server that dies after it says it again.

Else nobody may be left who knows: the learner has gone by then, as it should.
"""

from __future__ import annotations

import contextlib
import logging
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tf_agents.experimental.distributed import reverb_variable_container

from experiment import run_dir
from reverb_server import figures, run_tables, tables


class KeptEnd:
    """Waits for the end of a run, and keeps it.

    Attributes:
      is_kept: Whether the run has ended, and that was kept.
    """

    def __init__(self, address: str, root_dir: Path, is_restart: bool) -> None:
        """Says the end that was kept, if a server has died after it.

        Args:
          address: Of the server.
          root_dir: Folder of the run.
          is_restart: Whether the server takes the place of one that died just now; if
            not, the run goes on whatever was kept.
        """
        self._address = address
        self._path = root_dir / run_dir.END
        self.is_kept = False
        if is_restart:
            self._say_again()
        else:
            self.forget()

    def _say_again(self) -> None:
        if not self._path.exists():
            return
        try:
            with self._path.open("rb") as file, np.load(file) as kept:
                status, *weights = (kept[name] for name in kept.files)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile):
            logging.exception("%s cannot be read: the end is not known", self._path)
            return
        logging.warning("the run had ended before this server was started: %s", status)
        run_tables.announce_end(self._address, str(status), weights)

    def forget(self) -> None:
        """Removes what was kept, once there is nobody to be told."""
        self._path.unlink(missing_ok=True)

    def look(self, info: dict[str, Any]) -> list[dict[str, Any]]:
        """Keeps the end once it is there.

        Args:
          info: Of the server.

        Returns:
          The row that tells of it, for the figures of the run; none before, none after.
        """
        if self.is_kept or not info[tables.END].current_size:
            return []
        try:
            status, weights = run_tables.read_end(self._address)
        except (
            TimeoutError
        ) as error:  # The machine is this busy: the next round will do.
            logging.warning("%s", error)
            return []
        self._keep([np.array(status), *map(np.asarray, tf.nest.flatten(weights))])
        self.is_kept = True
        step = int(weights[reverb_variable_container.TRAIN_STEP_KEY])
        logging.info("the run has ended: %s at train step %d", status, step)
        return [
            {
                "role": figures.RUN,
                "time": time.time(),
                "status": status,
                "train_step": step,
            }
        ]

    def _keep(self, arrays: list[np.ndarray]) -> None:
        """A full disk costs the second telling, not the end."""
        fresh = self._path.with_name(f".{self._path.name}")
        try:
            with fresh.open("wb") as file:
                np.savez(file, *arrays)
            fresh.rename(self._path)
        except OSError:
            logging.exception("the end of the run could not be kept")
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
