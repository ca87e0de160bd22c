"""Processes that are frozen for longer than others can wait for them (F10)."""

from __future__ import annotations

import time

import psutil
import pytest

from tests.faults.running import Running

pytestmark = pytest.mark.slow

_FROZEN_S = 45.0


@pytest.fixture
def well(endless: Running) -> Running:
    """The run, well."""
    endless.wait_until_well()
    return endless


def _resident_mb(process: psutil.Process) -> float:
    return float(process.memory_info().rss / 2**20)


def test_actors_do_not_pile_up_what_a_frozen_learner_does_not_take(
    well: Running,
) -> None:
    """They wait, everybody is told for whom, and all goes on where it was."""
    pids = {process.pid for process in well.command.processes()}
    actors = [well.process("actor", task) for task in (0, 1)]
    learner = well.process("learner")
    learner.suspend()
    before = [_resident_mb(actor) for actor in actors]
    shown = len(well.command.output)
    until = time.monotonic() + _FROZEN_S
    well.wait(lambda: time.monotonic() > until)
    grown = [_resident_mb(actor) - mb for actor, mb in zip(actors, before)]
    learner.resume()
    assert max(grown) < 50
    said = [
        line
        for line in well.command.output[shown:].splitlines()
        if line.startswith("waiting: ")
    ]
    assert any("the learner on host" in line for line in said), said
    well.wait_until_well()
    assert pids == {process.pid for process in well.command.processes()}


def test_an_actor_that_stays_frozen_is_replaced(well: Running) -> None:
    before = well.process("actor", task=1)
    before.suspend()
    began = time.monotonic()
    well.wait(lambda: "actor-1 has been silent for" in well.command.output, 120)
    assert time.monotonic() - began > 55
    well.wait(lambda: "actor-1 was ended by SIGKILL" in well.command.output, 60)
    well.wait_until_replaced("actor", 1, before.pid)
    well.wait_until_well()
