"""A run of ours, started as a user starts it, and its figures while it goes on.

No TensorFlow is imported here: see `stock_processes`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.stock_distributed import Figures
from benchmarks.stock_processes import START_TIMEOUT_S, Children
from experiment import run_dir

# A run that trains and whose data is not all of the random policy.
_WARM_UP_TRAIN_STEPS = 500

GIN_FILE = Path(__file__).with_name("cartpole.gin")

# Who counts what.
_COUNTS = (("reverb_server", "env_steps"), ("learner", "train_step"))


class OurRun:
    """Processes of `launch/local.sh`, ended with the children they belong to."""

    def __init__(
        self,
        children: Children,
        num_actors: int,
        bindings: Sequence[str] = (),
        terminal_of: Path | None = None,
    ) -> None:
        """Starts the run.

        Args:
          children: Where the launcher belongs.
          num_actors: Actor processes.
          bindings: gin bindings that win over `cartpole.gin`.
          terminal_of: A checkout whose launcher is started in a terminal; None starts
            that of this checkout, without one.
        """
        self._children = children
        self._metrics = children.folder / "run" / run_dir.METRICS
        flags = [f"--gin_bindings={binding}" for binding in bindings]
        module = ["launch"] if terminal_of is None else _in_terminal(terminal_of)
        children.start(
            "launch",
            *module,
            f"--root_dir={children.folder / 'run'}",
            f"--gin_file={GIN_FILE}",
            f"--num_actors={num_actors}",
            *flags,
        )
        self._num_actors = num_actors

    def rows(self) -> list[dict[str, Any]]:
        """All rows of figures that the server has kept so far."""
        if not self._metrics.exists():
            return []
        # What follows the last newline may be half of a row.
        lines = self._metrics.read_text().rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in lines]

    def wait_until_warm(self) -> None:
        """Waits until all actors act and the learner trains.

        Raises:
          RuntimeError: The run failed.
          TimeoutError: It did not get so far in time.
        """

        def warm() -> bool | None:
            learner = self._newest("learner", "train_step")
            acting = {row["task"] for row in self.rows() if _is_acting(row)}
            trains = learner and learner["train_step"] >= _WARM_UP_TRAIN_STEPS
            return True if trains and len(acting) == self._num_actors else None

        self._children.wait("a run that trains", warm, 2 * START_TIMEOUT_S)

    def measure(self, seconds: float) -> Figures:
        """Environment steps and updates per second, from now on.

        Args:
          seconds: To measure over, at least.

        Returns:
          As server and learner count them.
        """
        first = self.counted()
        self.wait_seconds(first, seconds)
        return self.since(first)

    def counted(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The newest rows with the counts, by who counts what."""
        return {name: self._counted(*name) for name in _COUNTS}

    def wait_seconds(
        self, first: dict[tuple[str, str], dict[str, Any]], seconds: float
    ) -> None:
        """Waits for rows that are so much later than these."""

        def later() -> bool | None:
            last = self.counted()
            lengths = [last[name]["time"] - first[name]["time"] for name in _COUNTS]
            return True if min(lengths) >= seconds else None

        self._children.wait("figures", later, seconds + START_TIMEOUT_S)

    def since(self, first: dict[tuple[str, str], dict[str, Any]]) -> Figures:
        """Environment steps and updates per second since some rows."""
        last = self.counted()
        rates = [
            (last[name][name[1]] - first[name][name[1]])
            / (last[name]["time"] - first[name]["time"])
            for name in _COUNTS
        ]
        return Figures(*rates)

    def wait_for_env_steps(self, env_steps: int, timeout_s: float) -> float:
        """Waits until the run has taken so many; returns the time of that row."""

        def taken() -> float | None:
            row = self._counted("reverb_server", "env_steps")
            return float(row["time"]) if row["env_steps"] >= env_steps else None

        what = f"{env_steps:,} environment steps"
        return self._children.wait(what, taken, timeout_s)

    def waiting(self) -> str:
        """Who waited for the replay table lately, in percent of the time."""
        shares = {}
        for role in ("actor", "learner"):
            rows = [row for row in self.rows() if row["role"] == role]
            rows = [row for row in rows if "waited_s" in row and row["task"] == 0]
            first, last = rows[len(rows) // 2], rows[-1]
            elapsed = max(last["time"] - first["time"], 1e-9)
            shares[role] = (last["waited_s"] - first["waited_s"]) / elapsed
        return ", ".join(f"{role} {share:.0%}" for role, share in shares.items())

    def _counted(self, role: str, figure: str) -> dict[str, Any]:
        row = self._newest(role, figure)
        if row is None:
            raise RuntimeError(f"{role} has sent no {figure}; use wait_until_warm.")
        return row

    def _newest(self, role: str, figure: str) -> dict[str, Any] | None:
        found = [row for row in self.rows() if row["role"] == role and figure in row]
        return found[-1] if found else None


def _in_terminal(checkout: Path) -> list[str]:
    return ["benchmarks.in_terminal", str(checkout)]


def _is_acting(row: dict[str, Any]) -> bool:
    return row["role"] == "actor" and bool(row.get("env_steps"))
