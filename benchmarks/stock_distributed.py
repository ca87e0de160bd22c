"""TF-Agents' stock distributed wiring of DQN on CartPole-v1: how fast it is.

As in TF-Agents' `experimental/distributed/examples/sac`, with DQN in the place of SAC;
`stock_roles.py` has the processes.
"""

from __future__ import annotations

import dataclasses

from benchmarks import stock_processes
from benchmarks.stock_processes import Children
from launch.children import Child
from reverb_server import port as port_lib

# The learner's first updates build graphs and are not measured.
_WARM_UP_UPDATES = 50


@dataclasses.dataclass(frozen=True)
class Figures:
    """How fast experience is collected, and how fast is learned from it.

    Attributes:
      env_steps_per_s: Transitions that reached the replay table.
      updates_per_s: Gradient steps, of batches of 64 transitions.
    """

    env_steps_per_s: float
    updates_per_s: float


def measure(seconds: float, num_actors: int) -> Figures:
    """Runs a server, a learner and actors, until it is measured how fast they are.

    Args:
      seconds: To measure over, once all processes run and the learner has warmed up.
      num_actors: Actor processes, of one environment each.

    Returns:
      What was counted by the server, per second.

    Raises:
      RuntimeError: A process failed.
      TimeoutError: A process did not come up in time.
    """
    holder, port = port_lib.reserve(None)
    with holder, Children() as children:
        server = stock_processes.start_server(children, port)
        learner = _start(children, "learner", "learner", port)
        actors = [
            _start(children, f"actor-{task}", "actor", port, f"--task={task}")
            for task in range(num_actors)
        ]
        for child in [learner, *actors]:
            children.report(child)
        # One push is before the first update.
        stock_processes.wait_for_count(children, server, "pushes", _WARM_UP_UPDATES + 1)
        rates = stock_processes.rates(children, server, seconds)
    # The learner pushes once after every update.
    return Figures(env_steps_per_s=rates["transitions"], updates_per_s=rates["pushes"])


def _start(children: Children, name: str, role: str, port: int, *flags: str) -> Child:
    return children.start(
        name,
        "benchmarks.stock_roles",
        f"--role={role}",
        f"--port={port}",
        f"--root_dir={children.folder}",
        *flags,
    )
