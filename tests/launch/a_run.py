"""What a run is started with, and stand-ins for its processes."""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path
from typing import Any

from experiment.learner_device import LearnerDevice
from experiment.manifest import Manifest
from launch.options import Options
from launch.role import Role

CHECKOUT = Path(__file__).resolve().parents[2]


def options(root_dir: Path, **changes: Any) -> Options:
    """Options as `options.read` would make them."""
    usual = Options(
        num_actors=2,
        actors_elsewhere=0,
        num_replay_servers=1,
        gin_file=None,
        gin_bindings=[],
        root_dir=root_dir,
        seed=None,
        port=None,
        metrics_address=None,
        isolate=False,
        in_process=False,
        quiet=False,
        resume=False,
        discard_replay=False,
        max_restarts=5,
        learner_device=LearnerDevice(),
    )
    return dataclasses.replace(usual, **changes)


# Of a run whose server came up a moment after the command.
MANIFEST = Manifest(
    run_id="20260101-000000-abcdef01",
    gin_file="dqn_cartpole.gin",
    gin_text="",
    root_dir="/somewhere/else",
    seed=3,
    num_actors=4,
    resumed=False,
    started_at=1_002.5,
)


def stand_in(folder: Path, name: str, body: str, *arguments: str) -> Role:
    """A role whose program is a few lines, in the folder where it will be started."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(textwrap.dedent(body))
    return Role(name, module, arguments)
