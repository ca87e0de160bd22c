"""reverb_server/motion.py: counts that grow, and processes that are heard of."""

from __future__ import annotations

from reverb_server.motion import Growth, Peers, names


def test_a_count_knows_since_when_it_stands_still() -> None:
    """That is 10 seconds after it last grew."""
    growth = Growth(7, now=100)
    for now, count in ((104, 8), (108, 8), (113.9, 8)):
        growth.take(count, now)
        assert not growth.is_still
    growth.take(8, 114)
    assert growth.is_still
    assert growth.still_s == 10
    growth.take(9, 115)
    assert growth.still_s == 0


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """What was before is forgotten."""
    growth = Growth(0, now=0)
    assert growth.per_s == 0
    for now in range(1, 21):
        growth.take(now * 5, now)
    assert growth.per_s == 5
    for now in range(21, 33):
        growth.take(100, now)
    assert growth.per_s == 0


def test_a_process_is_known_by_its_newest_row() -> None:
    """And how long ago it came, and since when its figures are the same."""
    peers = Peers()
    peers.take([{"role": "learner", "task": 0, "host": "a", "train_step": 1}], now=10)
    again = {"role": "learner", "task": 0, "host": "a", "train_step": 1, "loss": 0.5}
    peers.take([again], now=12)
    peers.take([{"role": "actor", "task": 1, "host": "b"}], now=13)
    [learner] = peers.all("learner", now=45)
    assert learner.row == again
    assert learner.silent_s == 33
    assert learner.is_silent
    assert learner.same_s["train_step"] == 35
    assert learner.same_s["loss"] == 33
    assert not peers.all("actor", now=42)[0].is_silent
    assert peers.all("eval_job", now=42) == []


def test_many_processes_are_counted_not_named() -> None:
    """By task, whoever came first."""
    peers = Peers()
    for task in (4, 3, 2, 1, 0):
        peers.take([{"role": "actor", "task": task, "host": "a"}], now=0)
    found = peers.all("actor", now=0)
    assert names(found[:1]) == "actor 0 on host a"
    assert names(found[:2]) == "actor 0 on host a and actor 1 on host a"
    assert names(found).endswith(", actor 2 on host a and 2 more")
