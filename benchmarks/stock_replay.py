"""TF-Agents' stock replay path: how fast it writes, and how fast it samples.

The Reverb server is a process of its own, and so is the writer or the sampler;
`stock_roles.py` has all of them.
"""

from __future__ import annotations

from benchmarks import stock_processes
from benchmarks.stock_processes import Children
from launch.children import Child
from reverb_server import port as port_lib

# What is sampled from.
_ITEMS = 10_000

# The writer's first transitions open streams and are not measured.
_WARM_UP_TRANSITIONS = 1000


def measure_write(seconds: float) -> float:
    """Writes ready-made steps of one environment, without environment and policy.

    Args:
      seconds: To measure over.

    Returns:
      Transitions a second that reached the table, by `ReverbAddTrajectoryObserver`.

    Raises:
      RuntimeError: A process failed.
      TimeoutError: A process did not come up in time.
    """
    holder, port = port_lib.reserve(None)
    with holder, Children() as children:
        server = stock_processes.start_server(children, port)
        _start(children, "writer", port)
        stock_processes.wait_for_count(
            children, server, "transitions", _WARM_UP_TRANSITIONS
        )
        return stock_processes.rates(children, server, seconds)["transitions"]


def measure_sample(seconds: float) -> float:
    """Samples batches of 64 transitions from a table that is not written meanwhile.

    Args:
      seconds: To measure over.

    Returns:
      Transitions a second that came out of `ReverbReplayBuffer.as_dataset`.

    Raises:
      RuntimeError: A process failed.
      TimeoutError: A process did not come up, or did not fill the table, in time.
    """
    holder, port = port_lib.reserve(None)
    with holder, Children() as children:
        server = stock_processes.start_server(children, port)
        writer = _start(children, "writer", port, f"--items={_ITEMS}")
        children.report(writer)
        stock_processes.wait_for_count(children, server, "transitions", _ITEMS)
        sampler = _start(children, "sampler", port, f"--seconds={seconds}")
        report = children.report(sampler, seconds)
    return report["transitions_per_s"]


def _start(children: Children, role: str, port: int, *flags: str) -> Child:
    return children.start(
        role, "benchmarks.stock_roles", f"--role={role}", f"--port={port}", *flags
    )
