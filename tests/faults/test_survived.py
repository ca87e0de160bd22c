"""One run to which everything happens that a run survives, one after another.

Processes are killed (F1, F3, F6), freeze (F10), come from elsewhere (F27), and have
environments that fail (F20). Each test leaves the run well for the next one; their
order is random, as everywhere.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from typing import Callable

import numpy as np
import psutil
import pytest
import tensorflow as tf

from experiment import run_dir
from experiment.process import GRACE_S
from tests.faults.running import ENDLESS, Running, running_in
from tests.system.commands import Command

# Environments of which those of actor 1 can be told to fail.
_ON_DEMAND = (
    "--gin_bindings=import tests.faults.faulty_environments",
    "--gin_bindings=unhurried_environment.environment = @on_demand_cartpole",
    "--gin_bindings=Collect.environment_timeout_s = 10",
)

_FROZEN_S = 45.0


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The run, with a snapshot to go back to."""
    folder = tmp_path_factory.mktemp("endless")
    with running_in(folder, *ENDLESS, "--num_actors=2", *_ON_DEMAND) as running:
        running.wait_until_well()
        running.wait(running.snapshots)
        yield running


@pytest.fixture
def well(endless: Running) -> Iterator[Running]:
    """The run as a test finds it, whose news are of this test."""
    yield Running(endless.command, endless.folder)
    for demand in ("stall", "leak", "observation", "reward"):
        endless.folder.with_name(demand).unlink(missing_ok=True)


def _pids(running: Running) -> set[int]:
    return {process.pid for process in running.command.processes()}


def test_a_killed_actor_is_replaced_while_training_goes_on(well: Running) -> None:
    before = well.kill("actor", task=1)
    well.wait(lambda: "actor-1 was ended by SIGKILL" in well.news, 30)
    well.wait_until_well()
    well.wait_until_replaced("actor", 1, before)


def test_a_killed_learner_goes_on_from_its_checkpoint(well: Running) -> None:
    """The actors live on, and take its weights."""
    actors = {well.process("actor", task).pid for task in (0, 1)}
    stored = well.snapshots()[-1]
    before = well.kill("learner")
    well.wait(
        lambda: well.rows("learner") and well.rows("learner")[-1]["pid"] != before
    )
    after = well.process("learner").pid
    well.wait(
        lambda: any("train_step" in row for row in well.rows("learner", pid=after))
    )
    steps = [
        row["train_step"]
        for row in well.rows("learner", pid=after)
        if "train_step" in row
    ]
    assert steps[0] >= stored
    well.wait_until_well()
    assert actors == {well.process("actor", task).pid for task in (0, 1)}


def test_a_killed_server_comes_back_with_the_stored_replay_table(well: Running) -> None:
    """With the settings of the run, and nobody else has to be started again."""
    others = {well.process(role).pid for role in ("learner", "eval_job")}
    before = well.kill("reverb_server")
    well.wait(
        lambda: (
            well.rows("reverb_server")
            and well.rows("reverb_server")[-1]["pid"] not in (before, None)
        )
    )
    well.wait_until_well()
    after = well.process("reverb_server").pid
    rows = well.rows("reverb_server", pid=after)
    assert rows[0]["replay_size"] > 0
    assert rows[0]["replay_max_size"] == 100_000
    assert others == {well.process(role).pid for role in ("learner", "eval_job")}
    assert well.logged("learner", "the replay table is restored")


def test_a_killed_eval_job_is_replaced_and_judges_on(well: Running) -> None:
    before = well.kill("eval_job")
    well.wait(
        lambda: (
            any(
                row.get("average_return") is not None
                for row in well.rows("eval_job")
                if row["pid"] != before
            )
            and well.rows("eval_job")[-1]["pid"] != before
        )
    )
    well.wait_until_well()


def test_a_frozen_process_goes_on_where_it_was(well: Running) -> None:
    """As of a suspended computer; nothing is started again."""
    pids = _pids(well)
    server = well.process("reverb_server")
    server.suspend()
    well.wait(lambda: well.news.count("\n") >= 2)
    server.resume()
    well.wait_until_well()
    assert pids == _pids(well)


@pytest.mark.slow
def test_actors_do_not_pile_up_what_a_frozen_learner_does_not_take(
    well: Running,
) -> None:
    """They wait, everybody is told for whom, and all goes on where it was."""
    pids = _pids(well)
    actors = [well.process("actor", task) for task in (0, 1)]
    learner = well.process("learner")
    learner.suspend()
    before = [_resident_mb(actor) for actor in actors]
    until = time.monotonic() + _FROZEN_S
    well.wait(lambda: time.monotonic() > until)
    grown = [_resident_mb(actor) - mb for actor, mb in zip(actors, before)]
    learner.resume()
    assert max(grown) < 50
    said = [line for line in _lines(well, "") if line.startswith("waiting: ")]
    assert any("the learner on host" in line for line in said), said
    well.wait_until_well()
    assert pids == _pids(well)


def _resident_mb(process: psutil.Process) -> float:
    return float(process.memory_info().rss / 2**20)


@pytest.mark.slow
def test_an_actor_that_stays_frozen_is_replaced(well: Running) -> None:
    before = well.process("actor", task=1)
    before.suspend()
    began = time.monotonic()
    well.wait(lambda: "actor-1 has been silent for" in well.news, 120)
    assert time.monotonic() - began > 55
    well.wait(lambda: "actor-1 was ended by SIGKILL" in well.news, 60)
    well.wait_until_replaced("actor", 1, before.pid)
    well.wait_until_well()


@pytest.mark.slow
def test_an_actor_joins_by_hand_and_leaves(
    well: Running, role: Callable[..., Command]
) -> None:
    """It needs only the port, which the first line of the console shows."""
    pids = _pids(well)
    [port] = re.findall(r" port (\d+)", well.command.output.splitlines()[0])
    actor = role("actor", f"--server_address=localhost:{port}", "--task=7")
    well.wait(lambda: "actor joined run" in actor.output)
    well.wait(lambda: any(row.get("env_steps") for row in well.rows("actor", task=7)))
    actor.send(signal.SIGTERM)
    assert actor.wait(2 * GRACE_S) == 143, actor.output
    actor.assert_nothing_is_left(timeout_s=1)
    well.wait_until_well()
    assert pids == _pids(well)
    assert "starting it again" not in well.news


@pytest.mark.slow
@pytest.mark.parametrize("what", ["observation", "reward"])
def test_numbers_that_are_none_do_not_reach_the_weights(
    what: str, well: Running
) -> None:
    failed = _failures(well)
    file = well.folder.with_name(what)
    for _ in range(6):
        file.touch()
        well.wait(lambda: not file.exists())
    well.wait(lambda: _failures(well) >= failed + 6)
    well.wait_until_well()
    stored = well.checkpoints()[-1]
    well.wait(lambda: well.checkpoints()[-1] > stored)
    folder = well.folder / run_dir.CHECKPOINTS
    reader = tf.train.load_checkpoint(str(folder / f"ckpt-{well.checkpoints()[-1]}"))
    weights = [
        reader.get_tensor(name)
        for name, dtype in reader.get_variable_to_dtype_map().items()
        if dtype.is_floating
    ]
    assert weights
    assert all(np.isfinite(each).all() for each in weights)
    assert well.logged("actor-1", f"the {what} is not finite (nan")
    assert "starting it again" not in well.news


def _failures(running: Running) -> int:
    """Of the environments of actor 1, since it was started."""
    rows = running.rows("actor", pid=running.process("actor", task=1).pid)
    return max((row.get("environment_failures", 0) for row in rows), default=0)


@pytest.mark.slow
def test_an_actor_whose_environment_stalls_is_replaced(well: Running) -> None:
    """And the user is told that it is the environment."""
    before = well.process("actor", task=1).pid
    file = well.folder.with_name("stall")
    file.touch()
    well.wait(lambda: "actor-1 failed" in well.news)
    file.unlink()
    assert well.logged("actor-1", "of actor 1 has been in step() for")
    assert _lines(well, "of actor 1 has been in step() for"), well.news
    well.wait_until_replaced("actor", 1, before)
    well.wait_until_well()


@pytest.mark.slow
def test_an_actor_whose_environment_leaks_is_recycled(well: Running) -> None:
    before = well.process("actor", task=1).pid
    file = well.folder.with_name("leak")
    file.touch()
    well.wait(lambda: "actor-1 failed with exit code 75" in well.news)
    file.unlink()
    [said] = _lines(well, "actor-1 failed")
    assert "starting it again in 0 s" in said
    assert well.logged("actor-1", "it ends, to be started afresh")
    pid = well.wait_until_replaced("actor", 1, before)
    well.wait_until_well()
    assert well.rows("actor", pid=pid)[-1]["memory_mb"] < 1_024


def _lines(running: Running, text: str) -> list[str]:
    return [line for line in running.news.splitlines() if text in line]
