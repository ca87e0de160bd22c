"""`python -m replay_shard`: one of the further replay servers of a run."""

from __future__ import annotations

import contextlib
from pathlib import Path

from absl import flags

from experiment import devices, process, run_dir
from experiment import flags as shared_flags
from experiment.errors import check_number
from replay_shard.server import ShardServer
from reverb_server import figures, membership
from reverb_server import port as port_lib

_SERVER_ADDRESS = shared_flags.define_server_address()
_ROOT_DIR = shared_flags.define_root_dir("default: the one of the run's manifest")
_DISCARD_REPLAY = shared_flags.define_discard_replay()
_SHARD = flags.DEFINE_integer(
    "shard",
    None,
    "Number of this further replay server, from 1; each of a run needs its own.",
)
_PORT = flags.DEFINE_integer(
    "port", None, "Port to serve at, on all interfaces; default: a free one."
)
_IS_SUPERVISED = flags.DEFINE_boolean(
    "is_supervised", False, "The starter of this process holds --port for it."
)
_IS_RESTART = flags.DEFINE_boolean(
    "is_restart", False, "It takes the place of a server that died just now."
)


def _held_port(stack: contextlib.ExitStack) -> int:
    """The port to serve at, held until the end of `stack` if nobody else holds it."""
    if _IS_SUPERVISED.value and _PORT.value is not None:
        return _PORT.value
    holder, port = port_lib.reserve(_PORT.value)
    stack.enter_context(holder)
    return port


def main() -> int:
    """Parses, joins, holds the port, serves."""
    stop = process.StopSignal()
    devices.use_one_cpu_thread()
    address = shared_flags.required(_SERVER_ADDRESS, "localhost:8008")
    number = shared_flags.required(_SHARD, "1")
    check_number("--shard", number, at_least=1, integer=True)
    folder = shared_flags.given_folder(_ROOT_DIR)
    with contextlib.ExitStack() as stack:
        port = _held_port(stack)
        run = membership.Membership(address, figures.SHARD, stop, number)
        root_dir = folder or Path(run.manifest.root_dir)
        run_dir.require_writable(root_dir)
        discard, is_restart = _DISCARD_REPLAY.value, _IS_RESTART.value
        server = ShardServer(run, number, port, root_dir, discard, is_restart)
        server.serve(stop.wait)
    return stop.exit_code


if __name__ == "__main__":
    process.run(main)
