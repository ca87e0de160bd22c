"""What a check is started with."""

from __future__ import annotations

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Options:
    """See the flags of the same names.

    Attributes:
      gin_file: Its path.
    """

    gin_file: Path
    gin_bindings: list[str]
    num_actors: int
    seed: int
    episodes: int
    env_steps: int
    timeout_s: float
