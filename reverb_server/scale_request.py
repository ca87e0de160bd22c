"""What `launch.scale` asks of a run, and the answer: one file in the run's folder.

Why a file: docs/design.md, "Scaling is asked for by a file".
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
import uuid
from pathlib import Path

from experiment import run_dir


@dataclasses.dataclass(frozen=True)
class ScaleRequest:
    """A number of actors that a run is to have.

    Attributes:
      num_actors: Wanted.
      request_id: Unlike that of any other request.
      is_taken: Whether the server has taken it up.
      refusal: Why it has not, in one line.
    """

    num_actors: int
    request_id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)
    is_taken: bool = False
    refusal: str | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the server has said yes or no."""
        return self.is_taken or self.refusal is not None

    def hand_in(self, root_dir: Path, lasts_s: float) -> bool:
        """Asks, unless another request is there; returns whether it did.

        Args:
          root_dir: Folder of the run.
          lasts_s: Seconds after which a request is one of a command that was killed.
        """
        path = root_dir / run_dir.SCALE
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > lasts_s:
                self.forget(root_dir)
        try:
            with path.open("x") as file:
                file.write(json.dumps(dataclasses.asdict(self)))
        except FileExistsError:
            return False
        return True

    def write(self, root_dir: Path) -> None:
        """Takes the place of the request that was there, if any; may raise OSError."""
        text = json.dumps(dataclasses.asdict(self))
        run_dir.write_text(root_dir / run_dir.SCALE, text)

    @classmethod
    def read(cls, root_dir: Path) -> ScaleRequest | None:
        """The request in a run's folder; None if there is none that can be read."""
        try:
            return cls(**json.loads((root_dir / run_dir.SCALE).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    @staticmethod
    def forget(root_dir: Path) -> None:
        """Takes it away."""
        (root_dir / run_dir.SCALE).unlink(missing_ok=True)
