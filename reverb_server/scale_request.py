"""What `launch.scale` asks of a run, and the answer: one file in the run's folder.

Why a file: docs/design.md, "Scaling is asked for by a file".
"""

from __future__ import annotations

import dataclasses
import json
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
