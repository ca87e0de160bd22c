"""`python -m launch.ray_cluster`: a run on the nodes of a Ray cluster."""

from __future__ import annotations

import logging
import os
import socket

from absl import flags

from experiment import process, run_dir, run_status
from experiment.errors import ConfigurationError, check_number, one_line
from launch import command, screen
from launch import flags as launch_flags
from launch.options import Options
from launch.result import Outcome
from launch.supervisor import Supervisor
from launch.view import View

flags.adopt_module_key_flags(launch_flags)

_ADDRESS = flags.DEFINE_string(
    "address", "auto", "host:port of the Ray cluster; auto: the one of this node."
)
_LEARNER_CPUS = flags.DEFINE_float("learner_cpus", 1.0, "CPUs for the learner.")
_ACTOR_CPUS = flags.DEFINE_float("actor_cpus", 1.0, "CPUs for each actor.")
_SHARED_ROOT_DIR = flags.DEFINE_boolean(
    "shared_root_dir",
    False,
    "All nodes share the disk of --root_dir: server, learner and eval job may run on "
    "any of them, not only on this one.",
)
_SERVER_APART = flags.DEFINE_boolean(
    "server_apart",
    False,
    "With --shared_root_dir: the server need not run on the learner's node.",
)

# Seconds for the cluster to take a connection, before Ray is asked, which takes longer.
_CONNECT_S = 5.0


def main() -> int:
    """Checks, connects, runs."""
    check_number("--learner_cpus", _LEARNER_CPUS.value, above=0)
    check_number("--actor_cpus", _ACTOR_CPUS.value, above=0)
    for name in ("in_process", "isolate"):
        if flags.FLAGS[name].value:
            raise ConfigurationError(
                f"--{name} means nothing on a cluster: use ./launch/local.sh for it."
            )
    _require_one_server(flags.FLAGS["num_replay_servers"].value or 1)
    if _SERVER_APART.value and not _SHARED_ROOT_DIR.value:
        raise ConfigurationError(
            "--server_apart means nothing without --shared_root_dir: both server and "
            "learner write into the folder of the run."
        )
    connect(_ADDRESS.value)
    return command.conduct(_run, learner_is_here=False)


def _require_one_server(count: int) -> None:
    """Refuses, with a `ConfigurationError`, several replay servers."""
    if count > 1:
        raise ConfigurationError(
            f"--num_replay_servers is {count}, but a run on a Ray cluster has one "
            "replay server; leave it out, or start the processes by hand, see "
            "docs/clusters.md."
        )


def connect(address: str) -> None:
    """Connects this process to a Ray cluster, of which this machine is a node.

    Raises:
      ConfigurationError: Ray is not installed, or there is no such cluster.
    """
    # Else Ray prints hundreds of lines over the view when a node is lost.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "^")
    try:
        import ray  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise ConfigurationError(
            f"a run on a Ray cluster needs Ray, which cannot be imported ({error}); in "
            "the checkout, install it by: .venv/bin/pip install -e '.[ray]'"
        ) from error
    try:
        if address != "auto":
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), _CONNECT_S).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise ConfigurationError(
            f"--address is {address!r}, but no Ray cluster can be joined there "
            f"({one_line(error)}); give host:port of one, e.g. 10.0.0.1:6379, and "
            "start this command on one of its nodes."
        ) from error


def _run(options: Options, stop: process.StopSignal, view: View) -> Outcome:
    """Places the processes, and supervises them until the run has ended."""
    _require_one_server(options.num_replay_servers)  # Of a run that is resumed.
    import ray  # noqa: PLC0415  (an extra)

    from launch.ray_nodes import RayNodes, Wishes  # noqa: PLC0415

    wishes = Wishes(
        learner_cpus=_LEARNER_CPUS.value,
        learner_gpus=options.learner_device.required_gpus,
        actor_cpus=_ACTOR_CPUS.value,
        shared_root_dir=_SHARED_ROOT_DIR.value,
        server_apart=_SERVER_APART.value,
    )
    nodes = RayNodes(wishes, options.root_dir / run_dir.LOGS_DIR, view.warn)
    address = nodes.place(options.port, stop.is_set)
    if address is None:
        return Outcome(run_status.INTERRUPTED, stop.exit_code)
    host, _, port = address.rpartition(":")
    view.say(screen.greeting(options, int(port)))
    view.say(screen.who_gets_in_at(host))
    count = sum(each["Alive"] for each in ray.nodes())
    view.say(f"on {count} nodes of a Ray cluster; the server is at {address}")
    supervisor = Supervisor(options, address, nodes.start, view)
    stop.at_last = supervisor.kill
    try:
        return supervisor.run(stop)
    finally:
        ray.shutdown()


if __name__ == "__main__":
    process.run(main)
