"""The manifest: a run's identity and configuration, the same for every role."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from typing import Any

from experiment import machine, process

DEFAULT_SEED = 0


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What makes a run this run.

    Attributes:
      run_id: Unlike that of any other run; a resumed run keeps it.
      gin_file: Name of the preset, for people.
      gin_text: All bindings of the experiment.
      gin_folder: Where the gin file lies, and modules of the user's beside it may;
        empty if it is not known.
      root_dir: Where server, learner and eval job write, on their hosts.
      seed: Seed of the run.
      num_actors: Actors of the run: those it was started with, or scaled to last.
      actors_elsewhere: Of these, so many are not the launcher's to start: those with
        the highest numbers.
      resumed: Whether the run goes on from a checkpoint.
      started_at: Unix time, in seconds, from which `wall_time_s` is counted: when the
        run started, and later by the time that it lay still before a resume.
      in_process: Whether all roles share one process.
      pauses: Unix times between which the run lay still, each an end and a resume.
      server_start: How many servers the run has had, this one included.
      earlier_env_steps: Environment steps of the run, in transitions, that the replay
        table's counter does not know of, since it was begun anew.
      replay_train_step: Of the snapshot that the replay table was restored from; None
        if it began empty.
      weights: Shapes and types of the policy's weights; empty until they are built.
      changes: What a resume has changed, one line each.
      machine: What the newest server of the run was started on, see `machine`.
      replay_shards: Addresses of the further replay servers, as the first server hears
        them; each empty until it was heard of.
      lost_shards: Numbers of those that the learner does not reach; 1 is the first of
        the further ones.
    """

    run_id: str
    gin_file: str
    gin_text: str
    root_dir: str
    seed: int
    num_actors: int
    resumed: bool
    started_at: float
    actors_elsewhere: int = 0
    in_process: bool = False
    gin_folder: str = ""
    pauses: list[list[float]] = dataclasses.field(default_factory=list)
    server_start: int = 1
    earlier_env_steps: int = 0
    replay_train_step: int | None = None
    weights: list[str] = dataclasses.field(default_factory=list)
    changes: list[str] = dataclasses.field(default_factory=list)
    machine: dict[str, str] = dataclasses.field(default_factory=dict)
    replay_shards: list[str] = dataclasses.field(default_factory=list)
    lost_shards: list[int] = dataclasses.field(default_factory=list)

    @property
    def num_replay_servers(self) -> int:
        """Servers that the replay is spread over, the first one included."""
        return 1 + len(self.replay_shards)

    @classmethod
    def new(cls, **settings: Any) -> Manifest:
        """Of a run that this process starts; `settings` are the other fields."""
        return cls(
            run_id=f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:8]}",
            started_at=process.started_at(),
            machine=machine.describe(),
            **settings,
        )

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """From the text of `to_json`."""
        return cls(**json.loads(text))

    def wall_time_s(self) -> float:
        """Seconds that the run has been going."""
        return time.time() - self.started_at
