"""One actor, in one process with all other roles: it really learns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

Launch = Callable[..., Any]


def test_one_actor_in_process_learns(launch: Launch, tmp_path: Path) -> None:
    """The tutorial's preset must earn twice what the random policy earns."""
    command = launch(
        "--in_process",
        "--gin_file=dqn_cartpole_tutorial.gin",
        "--root_dir=run",
        "--max_train_steps=6000",
        "--target_return=75",
        "--gin_bindings=Evaluation.interval_train_steps = 250",
    )
    assert command.wait() == 0, command.output
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["status"] == "target_reached"
    assert result["average_return"] > 2 * result["random_average_return"]
    # One environment step for each update, after the random ones.
    assert 0 <= result["env_steps"] - result["train_step"] <= 110
    command.assert_nothing_is_left(timeout_s=1)
