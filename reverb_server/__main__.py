"""`python -m reverb_server`: serves one run."""

from __future__ import annotations

from pathlib import Path

from absl import flags

from experiment import devices, process, run_dir, run_start, seeding
from experiment import flags as shared_flags
from reverb_server import port as port_lib
from reverb_server import server as server_lib

_ROOT_DIR = shared_flags.define_root_dir("required")
_GIN_FILE, _GIN_BINDINGS = shared_flags.define_gin()
_SEED = shared_flags.define_seed()
_NUM_ACTORS = shared_flags.define_num_actors()
_RESUME = shared_flags.define_resume()
_PORT = flags.DEFINE_integer("port", 8008, "Port to serve at, on all interfaces.")
_PORT_IS_RESERVED = flags.DEFINE_boolean(
    "port_is_reserved", False, "The starter of this process holds --port for it."
)


def main() -> int:
    """Parses, builds, serves."""
    stop = process.StopSignal()
    devices.use_one_cpu_thread()
    root_dir = Path(shared_flags.required(_ROOT_DIR, "runs/my_run"))
    shared_flags.check_num_actors(_NUM_ACTORS.value)
    holder = None if _PORT_IS_RESERVED.value else port_lib.reserve(_PORT.value)[0]
    folder = run_dir.claim(root_dir, _RESUME.value)
    experiment, run = run_start.start_run(
        folder,
        gin_file=_GIN_FILE.value,
        gin_bindings=_GIN_BINDINGS.value,
        seed=_SEED.value,
        num_actors=_NUM_ACTORS.value,
        resume=_RESUME.value,
    )
    seeding.seed_role(run.seed, "reverb_server")
    server = server_lib.RunServer(experiment, run, _PORT.value)
    server.serve(stop.wait, is_supervised=_PORT_IS_RESERVED.value)
    server.stop()
    if holder:
        holder.close()
    return stop.exit_code


if __name__ == "__main__":
    process.run(main)
