"""The four roles started by hand, joined by nothing but the server's address."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import portpicker

Role = Callable[..., Any]


def test_roles_need_only_the_address(role: Role, tmp_path: Path) -> None:
    port = portpicker.pick_unused_port()
    address = f"--server_address=localhost:{port}"
    server = role(
        "reverb_server",
        "--root_dir=run",
        f"--port={port}",
        "--num_actors=1",
        "--gin_bindings=Replay.min_size_to_sample = 200",
        "--gin_bindings=Collect.initial_collect_steps = 200",
    )
    others = [
        role("learner", address, "--max_train_steps=300"),
        role("actor", address),
        role("eval_job", address),
    ]
    for other in others:
        assert other.wait() == 0, other.output
    # Nobody tells the server to end: it sees that all have gone.
    assert server.wait() == 0, server.output
    for command in [server, *others]:
        command.assert_nothing_is_left(timeout_s=1)
    assert (tmp_path / "run" / "policies" / "greedy_policy").is_dir()
    last_row = (tmp_path / "run" / "eval" / "returns.csv").read_text().splitlines()[-1]
    assert last_row.startswith("300,")
