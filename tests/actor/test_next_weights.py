"""actor/next_weights.py: waits for other weights, as long as they usually take."""

from __future__ import annotations

import pytest

from actor import next_weights
from actor.next_weights import NextWeights
from reverb_server.weights import WeightsPuller
from tests.actor.conftest import ServeCartPole
from tests.actor.test_collect import Learner, build


@pytest.fixture
def pulled(
    serve_cartpole: ServeCartPole,
) -> tuple[Learner, WeightsPuller]:
    """A learner, and weights of train step 30 that were taken from it."""
    run = serve_cartpole()
    learner = Learner(run)
    learner.publish(30)
    _, weights = build(run)
    assert weights.wait_for_first(lambda: True)
    return learner, weights


def test_other_weights_are_taken_be_they_newer_or_older(
    pulled: tuple[Learner, WeightsPuller],
) -> None:
    """A learner that went back to a checkpoint has a smaller train step."""
    learner, weights = pulled
    following = NextWeights(weights)
    for train_step in (40, 20):
        learner.publish(train_step)
        assert following.take(lambda: True)
        assert weights.train_step == train_step


def test_a_wait_in_vain_ends_and_counts(
    pulled: tuple[Learner, WeightsPuller], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The actor goes on with what it has; the next wait is no longer."""
    monkeypatch.setattr(next_weights, "_SHORTEST_S", 0.2)
    _, weights = pulled
    following = NextWeights(weights)
    assert following.patience_s == 0.2
    assert not following.take(lambda: True)
    assert weights.train_step == 30
    assert following.waited_s >= 0.2
    assert following.patience_s == 0.2


def test_patience_is_twice_the_usual_time_between_weights(
    pulled: tuple[Learner, WeightsPuller], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If that is more than the shortest."""
    monkeypatch.setattr(next_weights, "_SHORTEST_S", 0.0)
    learner, weights = pulled
    following = NextWeights(weights)
    following._came_at -= 50.0
    learner.publish(40)
    weights.wait_for(40, lambda: True, 20.0)
    assert following.take(lambda: True)
    assert 100 <= following.patience_s < 200


def test_a_wait_in_vain_does_not_make_the_next_one_longer(
    pulled: tuple[Learner, WeightsPuller], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or an actor that is gone would slow down the others more and more."""
    monkeypatch.setattr(next_weights, "_SHORTEST_S", 0.0)
    learner, weights = pulled
    following = NextWeights(weights)
    following._came_at -= 50.0
    following._in_vain_s = 45.0
    learner.publish(40)
    weights.wait_for(40, lambda: True, 20.0)
    assert following.take(lambda: True)
    assert 10 <= following.patience_s < 60


def test_a_wait_ends_with_the_run(pulled: tuple[Learner, WeightsPuller]) -> None:
    """At once."""
    following = NextWeights(pulled[1])
    following._usual_s = 1_000.0
    assert not following.take(lambda: False)
