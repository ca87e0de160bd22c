"""The wait of an on-policy actor for other weights than it has acted with."""

from __future__ import annotations

import time
from typing import Callable

from reverb_server.weights import WeightsPuller

# Shortest wait in seconds before an actor goes on with the weights that it has, and how
# many times the time between two weights it waits. A batch may lack the windows of an
# actor that is gone; then the others have to give them.
_SHORTEST_S = 1.0
_TIMES = 2.0


class NextWeights:
    """Waits for the learner's next weights, but not for ever."""

    def __init__(self, weights: WeightsPuller) -> None:
        """Args: weights: Pulled in the background."""
        self._weights = weights
        self._came_at = time.monotonic()
        self._usual_s = 0.0
        self._in_vain_s = 0.0  # Since then.
        # In the past, and since when a wait goes on: in one, for threads that read it.
        self._waits: tuple[float, float | None] = (0.0, None)

    @property
    def waited_s(self) -> float:
        """Seconds spent waiting so far, with the wait that goes on; for any thread."""
        waited_s, since = self._waits
        return waited_s if since is None else waited_s + time.monotonic() - since

    @property
    def patience_s(self) -> float:
        """Seconds for which the next wait lasts at most."""
        return max(_SHORTEST_S, _TIMES * self._usual_s)

    def take(self, is_running: Callable[[], bool]) -> bool:
        """Waits for other weights, newer or of an earlier checkpoint, and takes them.

        Args:
          is_running: Ends the wait early.

        Returns:
          Whether there were any; if not, the policy goes on with those it has.
        """
        start = time.monotonic()
        self._waits = (self.waited_s, start)
        wanted = self._weights.train_step + 1
        has_come = self._weights.wait_for(wanted, is_running, self.patience_s)
        self._waits = (self.waited_s, None)
        now = time.monotonic()
        if not (has_come and self._weights.take()):
            self._in_vain_s += now - start
            return False
        # Were waits in vain counted, each would make the next one longer.
        self._usual_s = now - self._came_at - self._in_vain_s
        self._came_at, self._in_vain_s = now, 0.0
        return True
