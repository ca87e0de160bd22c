"""`python -m actor`, as a process of its own, in environments with faults."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.actor.conftest import CARTPOLE, ServeCartPole
from tests.actor.served_run import ServedRun

ROOT = Path(__file__).parents[2]

FAULTY = CARTPOLE + "import tests.faults.faulty_environments\n"


def act(run: ServedRun) -> subprocess.CompletedProcess[str]:
    """An actor, until it ends of itself."""
    return subprocess.run(
        [sys.executable, "-m", "actor", f"--server_address={run.address}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_an_environment_that_stalls_ends_the_actor(
    serve_cartpole: ServeCartPole,
) -> None:
    """The last line says which one."""
    run = serve_cartpole(
        gin_text=FAULTY
        + """
        Experiment.environment = @stalling_cartpole
        stalling_cartpole.p_step = 1.0
        Collect.environment_timeout_s = 1.5
        """
    )
    ended = act(run)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(
        "fatal: environment 0 of actor 0 has been in step() for "
    )


@pytest.mark.parametrize("quick", [True, False])
def test_an_environment_that_only_crashes_ends_the_actor(
    quick: bool, serve_cartpole: ServeCartPole
) -> None:
    """After a few of its kind; the first ones have their line in the log."""
    run = serve_cartpole(
        gin_text=FAULTY
        + f"""
        Experiment.environment = @crashing_cartpole
        crashing_cartpole.p_step = 1.0
        crashing_cartpole.quick = {quick}
        """
    )
    ended = act(run)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        "fatal: RuntimeError: environment 0 failed 5 times in a row: RuntimeError: a "
        "crash in step; see the traceback"
    )
    assert "environment 3 failed (RuntimeError: a crash in step): it is made" in (
        ended.stderr
    )
    assert "Traceback" in ended.stderr


def test_observations_that_are_no_stacks_end_the_actor(
    serve_cartpole: ServeCartPole,
) -> None:
    """With what is to be set, and never to be started again."""
    run = serve_cartpole(
        gin_text=CARTPOLE
        + """
        import tests.experiment.counting_game
        Experiment.environment = @stack_frames
        stack_frames.environment = @counting_game
        stack_frames.frames = 8
        q_network.conv_layers = ((4, 2, 1),)
        Replay.frame_stack = 4
        Replay.transitions_per_item = 1
        """
    )
    ended = act(run)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith(
        "fatal: Replay.frame_stack is 4, but the observations are no stacks of 4 frames"
    )
