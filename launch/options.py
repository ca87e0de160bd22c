"""What a run is started with."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from experiment.learner_device import LearnerDevice


@dataclasses.dataclass(frozen=True)
class Options:
    """See the flags of the same names.

    Attributes:
      gin_bindings: With those that stand for `--target_return` and
        `--max_train_steps`: in a run, gin is the one home of both.
      root_dir: Absolute, and made.
      isolate: Whether this process is isolated already.
      metrics_address: `--metrics_host` and `--metrics_port`, free just now.
      learner_device: With `--require_gpu` and `--learner_gpus`.
    """

    num_actors: int
    actors_elsewhere: int
    num_replay_servers: int
    gin_file: str | None
    gin_bindings: list[str]
    root_dir: Path
    seed: int | None
    port: int | None
    metrics_address: tuple[str, int] | None
    isolate: bool
    in_process: bool
    quiet: bool
    resume: bool
    discard_replay: bool
    max_restarts: int
    learner_device: LearnerDevice

    @property
    def actors_here(self) -> int:
        """Actors that the launcher starts."""
        return self.num_actors - self.actors_elsewhere
