"""reverb_server/stall.py: who is said to wait for whom, from real tables' counts."""

from __future__ import annotations

from typing import Any

import pytest
from reverb.rate_limiters import MinSize, SampleToInsertRatio

from reverb_server import tables
from tests.reverb_server.conftest import Start
from tests.reverb_server.standing_run import LOOK_S, actor, learner


def test_while_all_goes_on_nothing_is_said(start: Start) -> None:
    """Nor while nobody has had the time to start."""
    run = start(MinSize(1))
    assert run.wait(30) is None
    for _ in range(30):
        run.insert()
        run.sample()
        assert run.look([actor(), learner()]) is None
    assert run.wait(8, [actor(), learner()]) is None


def test_without_actors_it_is_said_how_to_start_one(start: Start) -> None:
    run = start()
    assert run.wait(42, [learner()]) == (
        "the learner waits (0 of 16 transitions are in the replay table, no actor has "
        "inserted for 40 s) because none has been heard of: start one by `python -m "
        "actor --server_address=localhost:8008`, or see logs/actor-*.log"
    )
    assert start().wait(42) == (
        "no actor has inserted for 40 s because none has been heard of: start one by "
        "`python -m actor --server_address=localhost:8008`, or see logs/actor-*.log"
    )


def test_actors_that_went_silent_are_named(start: Start) -> None:
    run = start()
    run.insert(2)
    run.look([actor(task) for task in range(5)])
    run.sample(4)
    assert run.wait(36, [learner()]) == (
        "the learner waits (2 samples per insert wanted, no actor has inserted for "
        "36 s) because nothing has been heard for 36 s of actor 0 on host a, actor 1 "
        "on host a, actor 2 on host a and 2 more: see logs/actor-*.log, or start "
        "another by `python -m actor --server_address=localhost:8008`"
    )


def test_learning_from_old_data_only_is_said(start: Start) -> None:
    """Without a ratio the learner would not stop by itself."""
    run = start(MinSize(1))
    run.insert()
    said = []
    for _ in range(20):
        run.sample()
        said.append(run.look([actor(environment_stalled_s=25), learner()]))
    assert said[:15] == [None] * 15
    assert said[-1] == (
        "the learner learns from old data only (no actor has inserted for 38 s) "
        "because the environment of actor 0 on host a has not answered for 25 s: see "
        "logs/actor-0.log, and look for what the environment waits for"
    )


def test_actors_that_collect_long_windows_are_no_bug(start: Start) -> None:
    """Of a queue, from which each item is taken at once."""
    run = start(MinSize(1))
    for number in range(12):
        said = run.look([actor(env_steps=100 * number), learner(train_step=3)])
    assert said is None  # So soon after the start.
    for number in range(12, 24):
        said = run.look([actor(env_steps=100 * number), learner(train_step=3)])
    assert said == (
        "the learner waits (0 of 8 transitions are in the replay table, no actor has "
        "inserted for 46 s) because actor 0 on host a still collects what makes an "
        "item, 8 transitions: fewer would come sooner, by Replay.transitions_per_item, "
        "or by Replay.sequence_length if it is bound"
    )


def test_actors_that_are_held_by_the_limiter_wait_for_the_learner(
    start: Start,
) -> None:
    run = start()
    run.insert(4)
    assert run.wait(32, [actor()]) == (
        "actors wait to insert (2 samples per insert wanted, the learner has taken "
        "none for 30 s) because no learner has been heard of: start one by `python -m "
        "learner --server_address=localhost:8008`, or see logs/learner.log"
    )
    run.look([learner()])
    assert run.wait(32, [actor()]) == (
        "actors wait to insert (2 samples per insert wanted, the learner has taken "
        "none for 64 s) because the learner on host b has not been heard of for 32 s: "
        "see logs/learner.log"
    )


def test_a_learner_that_is_busy_is_not_called_dead(start: Start) -> None:
    """Its telemetry comes from another thread."""
    run = start()
    run.insert(4)
    starting = run.wait(32, [actor(), learner()])
    assert starting is not None
    assert "the learner on host b has not trained yet: it may be compiling" in starting
    assert run.wait(14, [actor(), learner(train_step=1_500, waited_s=0.5)]) == (
        "actors wait to insert (2 samples per insert wanted, the learner has taken "
        "none for 44 s) because the learner on host b has stood at train step 1,500 "
        "for 12 s without waiting for data (last heard of 0 s ago): it may be saving "
        "or compiling, see logs/learner.log"
    )


def test_a_learner_that_is_only_slow_is_called_slow(start: Start) -> None:
    run = start()
    run.insert(4)
    run.wait(30, [actor(), learner(train_step=1)])
    run.sample()
    assert run.look([actor(), learner(train_step=2)]) == (
        "actors wait to insert (2 samples per insert wanted, the learner takes 0.667 "
        "samples/s) because it is slower than they are: a lower "
        "Replay.samples_per_insert lets them insert more"
    )


def test_while_the_table_fills_it_is_said_how_long_it_takes(start: Start) -> None:
    run = start(MinSize(100))
    run.wait(20, [actor(), learner()])
    for _ in range(8):
        run.insert(3)
        said = run.look([actor(), learner()])
    assert said == (
        "the learner waits: 192 of 800 transitions are in the replay table, actors "
        "insert 12/s, about 51 s more; more actors or a lower "
        "Replay.min_size_to_sample would shorten it"
    )


def test_a_table_that_does_not_fill_names_the_environment_that_hangs(
    start: Start,
) -> None:
    run = start(MinSize(100))
    run.insert(3)
    rows = [actor(), actor(3, environment_stalled_s=33.3), learner()]
    assert run.wait(40, rows) == (
        "the learner waits (24 of 800 transitions are in the replay table, no actor "
        "has inserted for 38 s) because the environment of actor 3 on host a has not "
        "answered for 33 s: see logs/actor-3.log, and look for what the environment "
        "waits for"
    )


def test_actors_without_weights_wait_for_the_learner(start: Start) -> None:
    """Whatever else the learner could not do either."""
    run = start(has_weights=False)
    run.insert(2)
    said = run.wait(34, [actor()])
    assert said is not None
    assert said.startswith(
        "actors wait for the learner's first weights, and none has inserted for 32 s, "
        "because no learner has been heard of: start one by `python -m learner"
    )
    waiting = [actor(), learner(train_step=0, waited_s=run.now)]
    said = run.look(waiting)
    assert said is not None
    assert said.endswith("because it has published none: see logs/learner.log")


def test_a_standstill_without_a_cause_is_a_bug_with_figures(start: Start) -> None:
    """Both are heard of, and the limiter lets both go on."""
    run = start()
    run.insert(2)
    run.sample(1)
    said = []
    for second in range(0, 44, LOOK_S):
        rows = [actor(), learner(train_step=0, waited_s=float(second))]
        said.append(run.look(rows))
    assert said[19] is None
    assert said[-1] == (
        "inserts and samples have stood still for 42 s although nobody is missing (16 "
        "inserted, 8 sampled, 2 samples per insert wanted, tolerance 32): this is a "
        "bug worth reporting; a higher Replay.samples_per_insert_tolerance may help"
    )


def test_who_has_just_been_let_go_on_is_no_bug(start: Start) -> None:
    """While the table fills nothing can be sampled, however long that takes."""
    run = start(SampleToInsertRatio(2, 3, 8))
    run.insert()
    run.wait(60, [actor()])
    run.insert()
    rows = [actor(), learner(train_step=0, waited_s=1.0)]
    assert "the learner waits: 16 of 24" in (run.look(rows) or "")
    # The actor stops, for a while, and goes on.
    for second in range(0, 14, LOOK_S):
        said = run.look([actor(), learner(train_step=0, waited_s=float(second))])
        assert "bug" not in (said or "")
    run.insert()
    for second in range(14, 28, LOOK_S):
        said = run.look([actor(), learner(train_step=0, waited_s=float(second))])
        assert "bug" not in (said or "")


def test_a_learner_that_insists_on_more_inserts_waits_for_slow_actors(
    start: Start,
) -> None:
    """Ten inserts for each sample: most of the time nothing is sampled."""
    run = start(SampleToInsertRatio(0.1, 11, 1.0))
    run.wait(20, [actor(), learner()])
    run.insert(12)
    run.sample()
    run.wait(8, [actor(), learner()])
    for _ in range(3):
        run.insert()
        said = run.look([actor(), learner()])
    assert said is not None
    assert said.startswith("the learner waits (0.1 samples per insert wanted, actors")
    assert "more actors or a higher Replay.samples_per_insert" in said


@pytest.mark.parametrize(
    ("silent", "name", "log"),
    [
        (actor(3), "actor 3 on host a", "logs/actor-3.log"),
        (
            {"role": "eval_job", "task": 0, "host": "c"},
            "eval job on host c",
            "logs/eval_job.log",
        ),
    ],
)
def test_who_is_missed_by_none_is_still_named(
    silent: dict[str, Any], name: str, log: str, start: Start
) -> None:
    """But not for ever: an actor may have been removed by hand."""
    run = start(MinSize(1))
    run.look([silent])
    said = []
    for _ in range(160):
        run.insert()
        run.sample()
        said.append(run.look([actor(), learner()]))
    assert said[13] is None
    assert said[17] == f"{name} has not been heard of for 36 s: see {log}"
    assert said[-1] is None


def test_an_actor_that_has_left_is_not_missed(start: Start) -> None:
    """It was told to go: the run has been scaled."""
    run = start(MinSize(1))
    run.look([actor(3)])
    run.look([actor(3, has_left=True)])
    for _ in range(30):
        run.insert()
        run.sample()
        assert run.look([actor(), learner()]) is None


def test_an_environment_that_hangs_is_named_while_others_go_on(start: Start) -> None:
    run = start(MinSize(1))
    for _ in range(20):
        run.insert()
        run.sample()
        said = run.look([actor(), actor(1, environment_stalled_s=31), learner()])
    assert said == (
        "the environment of actor 1 on host a has not answered for 31 s: see "
        "logs/actor-1.log"
    )


def test_after_the_end_nobody_waits(start: Start) -> None:
    run = start()
    assert run.wait(40)
    run.insert(table=tables.END)
    assert run.look() is None


def test_a_server_that_stood_still_itself_blames_nobody(start: Start) -> None:
    """It was frozen, or the machine that busy; then all get the time of a start."""
    run = start()
    run.wait(20, [actor(), learner()])
    assert run.look(after_s=60) is None
    assert run.wait(28) is None
    assert run.wait(10) is not None
