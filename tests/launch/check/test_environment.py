"""launch/check/environment.py: what is found about environments that are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from experiment.definition import Experiment
from launch.check.environment import Environment, StallError
from launch.check.options import Options
from launch.doctor.finding import FAIL, OK, WARN, Finding
from tests.launch.check import faulty


def options(**changes: Any) -> Options:
    """As the flags have them by default, but for what changes."""
    usual: dict[str, Any] = {
        "gin_file": Path("mine.gin"),
        "gin_bindings": [],
        "num_actors": 2,
        "seed": 0,
        "episodes": 5,
        "env_steps": 5_000,
        "timeout_s": 30.0,
    }
    return Options(**{**usual, **changes})


def examined(make: Callable[[], Any], **changes: Any) -> list[Finding]:
    """All that is found about the environments of a factory."""
    environment = Environment(Experiment(environment=make), options(**changes))
    found = list(environment.make())
    found += environment.play()
    if not any(finding.level == FAIL for finding in found):
        found += environment.seeds()
        found += environment.batch()
    return found


def test_one_that_is_right_has_nothing_to_mend() -> None:
    """And is told with its specs and its episodes."""
    found = examined(faulty.Walk)
    assert {finding.level for finding in found} == {OK}
    texts = {finding.name: finding.text for finding in found}
    assert texts["observation"] == "float32[2] in [0, 4]"
    assert texts["action"] == "int64[] in [0, 1]"
    assert texts["episodes"].startswith("5 with random actions: 5 ended by themselves")
    assert "4 steps, returns 4" in texts["episodes"]
    assert "others with another" in texts["seed"]


def test_episodes_that_are_cut_off_are_told_from_those_that_end() -> None:
    """By their discount."""
    found = examined(faulty.limited(faulty.Walk))
    assert {finding.level for finding in found} == {OK}
    [episodes] = [each.text for each in found if each.name == "episodes"]
    assert "0 ended by themselves" in episodes
    assert "5 were cut off" in episodes
    [kind] = [each.text for each in found if each.name == "environment"]
    assert kind == "TimeLimit around Walk"


@pytest.mark.parametrize(
    ("make", "level", "said"),
    [
        (faulty.WrongShape, FAIL, "the observation is float32[3]; its shape must be"),
        (faulty.WrongDtype, FAIL, "the observation is float64[2]; by its spec it must"),
        (faulty.NoArray, FAIL, "the observation is a list of 0, 1; by observation_spe"),
        (faulty.WrongNest, FAIL, "the observation is a dict of place; by observation"),
        (faulty.NotFinite, FAIL, "has nan and 2 such of 2 numbers in it (step 3 of"),
        (faulty.OutOfBounds, WARN, "the observation has 4.5 and 1 such of 2 numbers"),
        (faulty.WrongReward, FAIL, "the reward is float64[]; by its spec it must be f"),
        (faulty.WrongDiscount, FAIL, "the discount has 1.5 in it; by its spec it must"),
        (faulty.GoesOnAfterTheEnd, FAIL, "returned step type MID; after a LAST time"),
        (faulty.BeginsInTheMiddle, FAIL, "reset() returned step type MID; in any case"),
        (faulty.NoTimeStep, FAIL, "step() returned (array("),
        (faulty.Unseeded, FAIL, "Unseeded has no method seed(seed)"),
        (faulty.IgnoresTheSeed, WARN, "two environments with the same seed differ aft"),
        (faulty.Reuses, WARN, "an observation that was returned changes with the next"),
        (faulty.LimitAsEnd, WARN, "0 were cut off (discount above 0); 20 steps"),
        (faulty.Batches, FAIL, "an observation of a batch changes with the next step"),
        (faulty.BatchesGoOn, FAIL, "returned step type MID; after a LAST time step it"),
    ],
)
def test_what_is_wrong_is_told_once_and_with_a_remedy(
    make: Callable[[], Any], level: str, said: str
) -> None:
    """What, got, allowed, and what to do."""
    found = [each for each in examined(make) if each.level != OK]
    wrong = [each for each in found if said in each.text]
    assert len(wrong) == 1, found
    assert wrong[0].level == level
    assert wrong[0].remedy


def test_one_that_never_ends_is_not_waited_for() -> None:
    """Neither its steps nor its time."""
    [found] = [each for each in examined(faulty.Endless, env_steps=50) if each.remedy]
    assert found.level == WARN
    assert "none has ended in 50 steps with random actions" in found.text
    found = examined(faulty.Endless, timeout_s=0.1, env_steps=10**9)[3]
    assert found.level == WARN
    assert "which took 0.1 s" in found.text


def test_one_that_stalls_is_told_with_the_line_where_it_is() -> None:
    """Of the user's code."""
    lines = Path(faulty.__file__).read_text().splitlines()
    [number] = [n for n, line in enumerate(lines, 1) if "The line that is told" in line]
    with pytest.raises(StallError) as raised:
        examined(faulty.Stalls, timeout_s=2)
    assert str(raised.value) == (
        "step() has not come back for 2 s, it is at "
        f"{Path(faulty.__file__).resolve()}, line {number}"
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: 5, "Experiment.environment makes 5; it must make a PyEnvironment"),
        (lambda: faulty.BatchOfOneArray(2), "is batched; one must be made at a time"),
    ],
)
def test_what_is_no_environment_of_one(make: Callable[[], Any], said: str) -> None:
    """Before it is played with."""
    found = list(Environment(Experiment(environment=make), options()).make())
    assert [each.level for each in found] == [FAIL]
    assert said in found[0].text
