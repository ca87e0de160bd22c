"""An environment of one's own: a walk along a cliff.

The task is that of Sutton and Barto, 2018, "Reinforcement Learning", example 6.6, on
fewer fields: each step costs 1, the cliff 100. A fall ends the episode here, and
episodes begin anywhere.
"""

import gin
import numpy as np
from tf_agents.environments import py_environment, wrappers
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

# Up, right, down, left: what an action adds to row and column.
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))


class Cliff(py_environment.PyEnvironment):
    """Fields in rows and columns; all of the last row but its two ends is a cliff.

    The observation is the number of the field, counted row by row.
    """

    def __init__(self, rows: int, columns: int) -> None:
        """Args: rows, columns: How many."""
        super().__init__(handle_auto_reset=True)  # A step after the end begins anew.
        self._rows, self._columns = rows, columns
        self._random = np.random.default_rng(0)
        self._row = self._column = 0

    def observation_spec(self) -> array_spec.BoundedArraySpec:
        """One of all fields; bounds from 0 make networks take it for a category."""
        return array_spec.BoundedArraySpec([], np.int64, 0, self._fields - 1)

    def action_spec(self) -> array_spec.BoundedArraySpec:
        """One of the moves."""
        return array_spec.BoundedArraySpec([], np.int64, 0, len(MOVES) - 1)

    def seed(self, seed: int) -> None:
        """Decides where episodes begin. It must be there, even if nothing is random."""
        self._random = np.random.default_rng(seed)

    def _reset(self) -> ts.TimeStep:
        """Begins on any field above the last row."""
        self._row = int(self._random.integers(self._rows - 1))
        self._column = int(self._random.integers(self._columns))
        return ts.restart(self._field())

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        """Moves, or stays at the border."""
        row, column = MOVES[int(action)]
        self._row = min(max(self._row + row, 0), self._rows - 1)
        self._column = min(max(self._column + column, 0), self._columns - 1)
        if self._row < self._rows - 1 or self._column == 0:
            return ts.transition(self._field(), reward=-1.0)
        is_goal = self._column == self._columns - 1
        # The end of the task: discount 0. That of a time limit keeps its discount.
        return ts.termination(self._field(), reward=-1.0 if is_goal else -100.0)

    @property
    def _fields(self) -> int:
        return self._rows * self._columns

    def _field(self) -> np.ndarray:
        """A new array each time: what was returned must not change later."""
        return np.asarray(self._row * self._columns + self._column, np.int64)


@gin.configurable
def cliff(
    rows: int = 4, columns: int = 6, max_episode_steps: int = 50
) -> py_environment.PyEnvironment:
    """Makes one environment; called once for each environment of each process."""
    return wrappers.TimeLimit(Cliff(rows, columns), max_episode_steps)
