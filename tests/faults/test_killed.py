"""Processes of a run are killed, one after another; each is replaced (F1, F3, F5, F6).

The order of these tests is random, as everywhere.
"""

from __future__ import annotations

import pytest

from tests.faults.running import Running


@pytest.fixture
def well(endless: Running) -> Running:
    """The run, well, with a snapshot to go back to."""
    endless.wait_until_well()
    endless.wait(endless.snapshots)
    return endless


def test_a_killed_actor_is_replaced_while_training_goes_on(well: Running) -> None:
    before = well.kill("actor", task=1)
    well.wait(lambda: "actor-1 was ended by SIGKILL" in well.command.output, 30)
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
    pids = {process.pid for process in well.command.processes()}
    server = well.process("reverb_server")
    server.suspend()
    shown = well.command.output.count("\n")
    well.wait(lambda: well.command.output.count("\n") >= shown + 2)
    server.resume()
    well.wait_until_well()
    assert pids == {process.pid for process in well.command.processes()}
