"""`python -m reverb_server`: serves one run."""

from __future__ import annotations

from pathlib import Path

from absl import flags

from experiment import (
    definition,
    devices,
    manifest,
    process,
    run_dir,
    run_start,
    seeding,
)
from experiment import flags as shared_flags
from reverb_server import port as port_lib
from reverb_server import server as server_lib

_ROOT_DIR = shared_flags.define_root_dir("required")
_GIN_FILE, _GIN_BINDINGS = shared_flags.define_gin()
_SEED = shared_flags.define_seed()
_NUM_ACTORS = shared_flags.define_num_actors()
_ACTORS_ELSEWHERE = shared_flags.define_actors_elsewhere()
_NUM_REPLAY_SERVERS = shared_flags.define_num_replay_servers()
_RESUME = shared_flags.define_resume()
_DISCARD_REPLAY = shared_flags.define_discard_replay()
_PORT = flags.DEFINE_integer("port", 8008, "Port to serve at, on all interfaces.")
_METRICS_PORT, _METRICS_HOST = shared_flags.define_metrics()
_IS_SUPERVISED = flags.DEFINE_boolean(
    "is_supervised", False, "The starter of this process holds --port for it."
)
_IS_RESTART = flags.DEFINE_boolean(
    "is_restart", False, "It takes the place of a server that died just now."
)
_EARLIER_SERVERS = flags.DEFINE_integer(
    "earlier_servers",
    0,
    "With --is_restart: how many servers the run had before this start or resume.",
)

# Seconds for a server that nobody supervises to write a last snapshot, when it is told
# to stop. Under the launcher the learner has asked for one.
_STORE_S = 110.0


def _was_served(root_dir: Path) -> bool:
    """Whether the server that died had got so far as to tell of the run.

    If not, this one has all that it was to do: to resume, say, with new bindings.
    """
    if not (root_dir / run_dir.MANIFEST).exists():
        return False
    return run_dir.read_manifest(root_dir).server_start > _EARLIER_SERVERS.value


def _num_actors(root_dir: Path) -> int:
    """As asked for; a resumed run keeps its own, or what it was scaled to."""
    if _RESUME.value and not flags.FLAGS["num_actors"].present:
        return run_dir.read_manifest(root_dir).num_actors
    return int(_NUM_ACTORS.value)


def _start_run(root_dir: Path) -> tuple[definition.Experiment, manifest.Manifest]:
    """A new run, or one that is resumed."""
    shared_flags.check_num_actors(_NUM_ACTORS.value)
    shared_flags.check_num_replay_servers(_NUM_REPLAY_SERVERS.value)
    claimed = run_dir.claim(root_dir, _RESUME.value)
    num_actors = _num_actors(claimed)
    shared_flags.check_actors_elsewhere(_ACTORS_ELSEWHERE.value, num_actors)
    return run_start.start_run(
        claimed,
        gin_file=_GIN_FILE.value,
        gin_bindings=_GIN_BINDINGS.value,
        seed=_SEED.value,
        num_actors=num_actors,
        actors_elsewhere=_ACTORS_ELSEWHERE.value,
        resume=_RESUME.value,
        num_replay_servers=_NUM_REPLAY_SERVERS.value,
    )


def _serve(root_dir: Path, stop: process.StopSignal) -> int:
    """Builds, serves until the run has ended or somebody says stop."""
    metrics_address = port_lib.metrics_address(_METRICS_PORT.value, _METRICS_HOST.value)
    port_lib.require_apart(metrics_address, _PORT.value)
    is_restart = _IS_RESTART.value and _was_served(root_dir)
    if is_restart:
        experiment, run = run_start.restart_run(root_dir)
    else:
        if metrics_address:
            port_lib.require_free(*metrics_address)
        experiment, run = _start_run(root_dir)
    seeding.seed_role(run.seed, "reverb_server")
    restore = is_restart or not _DISCARD_REPLAY.value
    server = server_lib.RunServer(
        experiment, run, _PORT.value, restore, is_restart, metrics_address
    )
    server.serve(stop.wait, is_supervised=_IS_SUPERVISED.value)
    is_cut_short = stop.is_set() and not _IS_SUPERVISED.value
    if is_cut_short:
        server.store_replay(server.newest_train_step)
    server.stop(keeps_end=is_cut_short)
    return stop.exit_code


def main() -> int:
    """Parses, holds the port, serves."""
    stop = process.StopSignal(process.GRACE_S if _IS_SUPERVISED.value else _STORE_S)
    devices.use_one_cpu_thread()
    root_dir = Path(shared_flags.required(_ROOT_DIR, "runs/my_run")).absolute()
    if _IS_SUPERVISED.value:
        return _serve(root_dir, stop)
    with port_lib.reserve(_PORT.value)[0]:
        return _serve(root_dir, stop)


if __name__ == "__main__":
    process.run(main)
