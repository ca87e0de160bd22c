"""Whether this machine has the memory for the processes of a run."""

from __future__ import annotations

import psutil

# What one process takes, most of it for TensorFlow's code (docs/performance.md).
_PROCESS_BYTES = 500_000_000

_OTHERS = 3  # Server, learner, eval job.


def warning(num_actors: int) -> str | None:
    """What to tell the user before so many actors start; None if they will fit."""
    needed = (num_actors + _OTHERS) * _PROCESS_BYTES
    available = psutil.virtual_memory().available
    if needed <= available:
        return None
    return (
        f"warning: --num_actors is {num_actors}; they, server, learner and eval job "
        f"need about {needed / 1e9:.1f} GB of memory, and {available / 1e9:.1f} GB are "
        "available. If processes are killed, start fewer."
    )
