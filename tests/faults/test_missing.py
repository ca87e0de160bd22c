"""Somebody is missing, or is somebody else, and nobody starts him.

Actors are (F2), or the server is (F7), or it is another run's (F13), which is left
alone then (F17).
"""

from __future__ import annotations

import functools
import json
import signal
from pathlib import Path
from typing import Callable

import portpicker
import pytest

from experiment import run_dir
from experiment.process import GRACE_S
from tests.faults.by_hand import ByHand
from tests.system.commands import Command

pytestmark = pytest.mark.slow

Role = Callable[..., Command]


def test_actors_that_are_gone_are_named(role: Role, tmp_path: Path) -> None:
    """By the server's log and figures, whether or not the learner waits for them."""
    runs = [
        ByHand(role, tmp_path, f"--gin_bindings={ratio}", name=name)
        for name, ratio in (
            ("ratio", "Replay.samples_per_insert = 8"),
            ("free", "Replay.samples_per_insert = None"),
        )
    ]
    actors = []
    for run in runs:
        run.join("learner")
        actors.append(run.join("actor"))
    for run in runs:
        run.running.wait_until_well()
    for actor in actors:
        actor.send(signal.SIGKILL)

    def is_named(run: ByHand) -> bool:
        row = run.running.rows("reverb_server")[-1]
        return "actor 0 on host" in (row["stall"] or "")

    for run in runs:
        run.running.wait(functools.partial(is_named, run), 90)
        said = [
            line
            for line in run.server.output.splitlines()
            if "waiting: " in line and "actor 0 on host" in line
        ]
        assert said, run.server.output
        assert "see logs/actor-" in said[0]
    steps = [run.running.count("learner", "train_step") for run in runs]
    runs[1].running.wait(
        lambda: runs[1].running.count("learner", "train_step") != steps[1]
    )


def test_roles_without_a_server_say_where_they_looked(role: Role) -> None:
    address = f"localhost:{portpicker.pick_unused_port()}"
    commands = [
        role(name, f"--server_address={address}") for name in ("learner", "actor")
    ]
    for command in commands:
        assert command.wait() == 2, command.output
        assert command.output.splitlines()[-1] == (
            f"fatal: no Reverb server answered at {address} within 60 s; start it "
            "first, or correct --server_address."
        )
        command.assert_nothing_is_left(timeout_s=1)


def test_an_actor_leaves_a_server_that_is_another_runs_now(
    role: Role, tmp_path: Path
) -> None:
    """Which stops when told to, though nobody has ever joined it."""
    run = ByHand(role, tmp_path)
    actor = run.join("actor")
    run.running.wait(lambda: run.running.rows("actor"))
    run.server.send(signal.SIGKILL)
    run.server.wait()
    other_server = run.serve("other")
    assert actor.wait() == 2, actor.output
    mine, other = (
        json.loads((tmp_path / name / run_dir.MANIFEST).read_text())["run_id"]
        for name in ("run", "other")
    )
    said = [line for line in actor.output.splitlines() if line.startswith("fatal: ")]
    assert len(said) == 1
    assert f"belongs to run {other} now" in said[0]
    assert f"but this actor to run {mine}" in said[0]
    actor.assert_nothing_is_left(timeout_s=1)

    other_server.send(signal.SIGTERM)
    assert other_server.wait(2 * GRACE_S) == 143, other_server.output
    other_server.assert_nothing_is_left(timeout_s=1)
