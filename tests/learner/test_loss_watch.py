"""learner/loss_watch.py: which losses are worth a word."""

from __future__ import annotations

import pytest

from learner.loss_watch import LossWatch


def watch_of(first: float) -> LossWatch:
    """One that has seen as many losses of this size as it compares with."""
    watch = LossWatch()
    for _ in range(100):
        watch.look(first)
    return watch


def test_a_loss_that_explodes_is_told_with_the_remedy() -> None:
    """As long as it is so."""
    watch = watch_of(0.4)
    watch.look(8.6e11)
    assert watch.problem
    assert watch.problem.startswith("the loss is 8.6e+11, and was about 1 at the start")
    assert "lower the learning rate" in watch.problem
    watch.look(3.0)
    assert watch.problem is None


@pytest.mark.parametrize(
    ("first", "later"),
    [(1e-9, 5e5), (0.5, 5e5), (300.0, 1e8), (-2.0, -1e6)],
)
def test_a_loss_that_grows_with_the_values_is_not(first: float, later: float) -> None:
    """Rewards that come late, and long sums of them."""
    watch = watch_of(first)
    watch.look(later)
    assert watch.problem is None


def test_whatever_the_first_losses_are_they_are_the_measure() -> None:
    """There is nothing else to compare them with."""
    watch = LossWatch()
    for loss in (1e20, 1.0, 1e20):
        watch.look(loss)
    assert watch.problem is None
