"""Whether this machine has the memory for the processes of a run."""

from __future__ import annotations

import socket
from pathlib import Path

import psutil

from experiment import available_memory, run_dir
from experiment.errors import ConfigurationError
from experiment.manifest import Manifest
from reverb_server import figures

# What one process takes, most of it for TensorFlow's code (docs/performance.md), and
# what of it is shared with no other process.
_PROCESS_BYTES = 500_000_000
_OWN_BYTES = 230_000_000

# Name of Ray's process on each node.
_RAYLET = "raylet"

OTHERS = 3  # Server, learner, eval job.


def check(num_actors: int, shards: int = 0) -> None:
    """Refuses more actors than the machine can ever hold.

    Args:
      num_actors: That are to be on it, whatever the run has elsewhere.
      shards: Replay servers on it, but for the first.

    Raises:
      ConfigurationError: Their own memory is larger than this machine's.
    """
    total = psutil.virtual_memory().total + psutil.swap_memory().total
    most = int(total / _OWN_BYTES) - OTHERS - shards
    if most < 1 and shards:
        raise ConfigurationError(
            f"{1 + shards} replay servers are to run on this machine, which with "
            f"{total / 1e9:.1f} GB of memory cannot hold them and an actor; lower "
            "--num_replay_servers."
        )
    if num_actors > most:
        raise ConfigurationError(
            f"{num_actors} actors are to run on this machine, but with "
            f"{total / 1e9:.1f} GB of memory it can hold {max(most, 0)} at most; lower "
            "--num_actors, or start the others on other machines (--actors_elsewhere)."
        )


def needed(num_actors: int, shards: int = 0) -> int:
    """Bytes that these, the server, the learner and the eval job take."""
    return (num_actors + shards + OTHERS) * _PROCESS_BYTES


def warning(num_actors: int, shards: int = 0) -> str | None:
    """What to tell the user before so many actors start; None if they will fit."""
    servers = f"{1 + shards} replay servers" if shards else "server"
    what = f"{num_actors} actors on this machine, {servers}, learner and eval job"
    return _warning(what, needed(num_actors, shards))


def warning_of_more(actors: int) -> str | None:
    """The same of so many actors that come to a run which goes on."""
    return _warning(f"{actors} more actors", actors * _PROCESS_BYTES)


def _warning(what: str, size: int) -> str | None:
    available = available_memory.available_bytes()
    if size <= available:
        return None
    return (
        f"warning: {what} need about {size / 1e9:.1f} GB of memory, and "
        f"{available / 1e9:.1f} GB are available. If processes are killed, start fewer."
    )


def shards_beside_first(manifest: Manifest) -> int:
    """How many further replay servers of a run are on the machine of its first one."""
    hosts = [address.rpartition(":")[0] for address in manifest.replay_shards]
    return hosts.count("localhost")  # See `reverb_server.address.own_address`.


def is_of_new_actors(root_dir: Path) -> bool:
    """Whether new actors of a run come to this machine, as far as can be known.

    Those of a Ray cluster come to any of its nodes, and all that it runs is below its
    raylets, the server too.
    """
    server = run_dir.last_row(root_dir, figures.SERVER)
    if server.get("host") != socket.gethostname():
        return False
    try:
        above = [each.name() for each in psutil.Process(server["pid"]).parents()]
    except psutil.Error:  # It has died just now; who starts it again is not known.
        return True
    return _RAYLET not in above
