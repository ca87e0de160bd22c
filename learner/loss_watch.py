"""Notices a loss that has grown beyond all measure: training that diverges."""

from __future__ import annotations

import statistics

# Calls of the graph whose losses are the measure, which is at least 1: before the first
# reward there may be next to none.
_FIRST_CALLS = 100

# Values grow from single rewards to sums of them, 1 / (1 - gamma) times as large: 1,000
# times for a discount of 0.999. A squared loss grows by the square of that.
_GROWTH = 1e6


class LossWatch:
    """Compares each loss with the first ones.

    Attributes:
      problem: What there is to say of the newest loss; None if it is as it should be.
    """

    def __init__(self) -> None:
        """Has seen no loss."""
        self._first: list[float] = []
        self._measure: float | None = None
        self.problem: str | None = None

    def look(self, loss: float) -> None:
        """Takes the mean loss of one call.

        Args:
          loss: Finite.
        """
        if self._measure is None:
            self._first.append(abs(loss))
            if len(self._first) == _FIRST_CALLS:
                self._measure = max(1.0, statistics.median(self._first))
            return
        self.problem = None
        if abs(loss) > _GROWTH * self._measure:
            self.problem = (
                f"the loss is {loss:.2g}, and was about {self._measure:.2g} at the "
                "start: training diverges; lower the learning rate, update target "
                "networks more slowly, or bind gradient_clipping"
            )
