"""The flags of `launch/local.sh`, checked."""

from __future__ import annotations

import os
from pathlib import Path

from absl import flags

from experiment import flags as shared_flags
from experiment import gin_text, presets, run_dir
from experiment.errors import ConfigurationError, check_number
from experiment.learner_device import GPU, LearnerDevice
from launch import isolation, required_gpu
from launch.options import Options
from reverb_server import port as port_lib

_NUM_ACTORS = shared_flags.define_num_actors()
_NUM_REPLAY_SERVERS = shared_flags.define_num_replay_servers()
_GIN_FILE, _GIN_BINDINGS = shared_flags.define_gin()
_ROOT_DIR = shared_flags.define_root_dir("default: a new one in runs/")
_TARGET_RETURN = shared_flags.define_target_return()
_MAX_TRAIN_STEPS = shared_flags.define_max_train_steps()
_SEED = shared_flags.define_seed()
_LEARNER_DEVICE = shared_flags.define_learner_device()
_PORT = flags.DEFINE_integer(
    "port", None, "Port of the Reverb server; default: a free one."
)
_METRICS_PORT, _METRICS_HOST = shared_flags.define_metrics()
_ACTORS_ELSEWHERE = shared_flags.define_actors_elsewhere()
_ISOLATE = isolation.ISOLATE
flags.adopt_module_key_flags(isolation)
_IN_PROCESS = flags.DEFINE_boolean(
    "in_process", False, "Run all roles in one process, taking turns: to debug."
)
_QUIET = flags.DEFINE_boolean(
    "quiet", False, "Show only what goes wrong, and the result."
)
_RESUME = shared_flags.define_resume()
_DISCARD_REPLAY = shared_flags.define_discard_replay()
_MAX_RESTARTS = flags.DEFINE_integer(
    "max_restarts",
    5,
    "Restarts in a row of one process that fails, before the run fails; 0: none.",
)


def read(learner_is_here: bool = True) -> Options:
    """Reads and checks the flags, and makes the folder of the run.

    Args:
      learner_is_here: Whether GPUs that are required have to be this machine's.

    Raises:
      ConfigurationError: A value is wrong.
    """
    _check_simple()
    metrics_address = _metrics_address()
    bindings = _bindings()
    learner_device = _LEARNER_DEVICE()
    if _IN_PROCESS.value:
        _check_in_process(learner_device)
    gin_file = _gin_file(bindings)
    if learner_is_here:
        required_gpu.check(learner_device)
    root_dir = _root_dir()
    num_actors = _num_actors(root_dir)
    num_replay_servers = _num_replay_servers(root_dir)
    port_lib.require_apart(metrics_address, _PORT.value, num_replay_servers)
    return Options(
        num_actors=num_actors,
        actors_elsewhere=_actors_elsewhere(root_dir, num_actors),
        num_replay_servers=num_replay_servers,
        gin_file=gin_file,
        gin_bindings=bindings,
        root_dir=root_dir,
        seed=_SEED.value,
        port=_PORT.value,
        metrics_address=metrics_address,
        isolate=_ISOLATE.value,
        in_process=_IN_PROCESS.value,
        quiet=_QUIET.value,
        resume=_RESUME.value,
        discard_replay=_DISCARD_REPLAY.value,
        max_restarts=_MAX_RESTARTS.value,
        learner_device=learner_device,
    )


def _check_simple() -> None:
    """Refuses what is wrong at first sight."""
    shared_flags.check_num_actors(_NUM_ACTORS.value)
    shared_flags.check_num_replay_servers(_NUM_REPLAY_SERVERS.value)
    check_number("--max_restarts", _MAX_RESTARTS.value, at_least=0, integer=True)
    if _DISCARD_REPLAY.value and not _RESUME.value:
        raise ConfigurationError(
            "--discard_replay means nothing without --resume: a new run begins with an "
            "empty replay table anyway."
        )
    if _PORT.value is not None:
        check_number("--port", _PORT.value, at_least=1, at_most=65535, integer=True)


def _metrics_address() -> tuple[str, int] | None:
    """Where Prometheus is to find the figures, if anywhere; free just now."""
    address = port_lib.metrics_address(_METRICS_PORT.value, _METRICS_HOST.value)
    if address and _ISOLATE.value:
        raise ConfigurationError(
            "--metrics_port cannot be given with --isolate: nobody outside of the run "
            "would reach it. The figures are in metrics.jsonl too."
        )
    port_lib.require_apart(address, _PORT.value, _NUM_REPLAY_SERVERS.value or 1)
    if address:
        port_lib.require_free(*address)
    return address


def _check_in_process(learner_device: LearnerDevice) -> None:
    """Refuses what needs processes of their own."""
    if flags.FLAGS["num_actors"].present:
        raise ConfigurationError(
            "--num_actors cannot be given with --in_process, which has one actor."
        )
    if (_NUM_REPLAY_SERVERS.value or 1) > 1:
        raise ConfigurationError(
            f"--num_replay_servers is {_NUM_REPLAY_SERVERS.value}, but --in_process "
            "has one server; leave one of the two out."
        )
    if learner_device.kind == GPU:
        raise ConfigurationError(
            "a GPU cannot be asked for with --in_process: all roles share one process, "
            "and only a learner of its own may see one. Leave one of the two out."
        )


def _bindings() -> list[str]:
    """Those given, and those that other flags stand for: these win."""
    bindings = list(_GIN_BINDINGS.value)
    shared_flags.check_target_return(_TARGET_RETURN.value)
    if _TARGET_RETURN.value is not None:
        bindings.append(f"Evaluation.target_return = {_TARGET_RETURN.value}")
    shared_flags.check_max_train_steps(_MAX_TRAIN_STEPS.value)
    if _MAX_TRAIN_STEPS.value is not None:
        bindings.append(f"Train.max_train_steps = {_MAX_TRAIN_STEPS.value}")
    return bindings


def _gin_file(bindings: list[str]) -> str | None:
    """The file given, as a path; what it sets is checked together with `bindings`."""
    gin_file = _GIN_FILE.value
    if gin_file is not None:
        gin_file = str(presets.find_preset(gin_file))
    if not _RESUME.value:  # A resumed run has most of its text already.
        path = presets.find_preset(gin_file or presets.DEFAULT_PRESET)
        gin_text.check_settings(gin_text.text_of(path, bindings))
    return gin_file


def _num_actors(root_dir: Path) -> int:
    """As asked for; a resumed run keeps its own if nothing was."""
    if _IN_PROCESS.value:
        return 1
    if _RESUME.value and not flags.FLAGS["num_actors"].present:
        return run_dir.read_manifest(root_dir).num_actors
    return int(_NUM_ACTORS.value)


def _actors_elsewhere(root_dir: Path, num_actors: int) -> int:
    """How many actors others start: a resumed run keeps its own if nothing was said."""
    count = int(_ACTORS_ELSEWHERE.value)
    is_said = flags.FLAGS["actors_elsewhere"].present
    if _RESUME.value and not is_said and not _IN_PROCESS.value:
        before = run_dir.read_manifest(root_dir)
        count = before.actors_elsewhere
        if count and num_actors != before.num_actors:
            raise ConfigurationError(
                f"--num_actors is {num_actors}, but the run in {root_dir} had "
                f"{before.num_actors} actors, {count} of them started elsewhere, and "
                "these have the highest numbers; say by --actors_elsewhere how many of "
                f"the {num_actors} you start elsewhere now."
            )
    if count and _ISOLATE.value:
        raise ConfigurationError(
            f"--actors_elsewhere={count} cannot be given with --isolate, which keeps "
            "other hosts away."
        )
    shared_flags.check_actors_elsewhere(count, num_actors)
    return count


def _num_replay_servers(root_dir: Path) -> int:
    """As asked for; a resumed run has its own, and its server refuses others."""
    if _NUM_REPLAY_SERVERS.value is not None:
        return _NUM_REPLAY_SERVERS.value
    if _RESUME.value and not _IN_PROCESS.value:
        return run_dir.read_manifest(root_dir).num_replay_servers
    return 1


def _root_dir() -> Path:
    """The folder given, that of the latest run to resume, or a new one."""
    if _ROOT_DIR.value is not None:
        folder = Path(shared_flags.required(_ROOT_DIR, "runs/my_run"))
    elif _RESUME.value:
        folder = run_dir.RUNS / run_dir.LATEST
    else:
        folder = run_dir.new_root_dir()
    claimed = run_dir.claim(folder, _RESUME.value)
    os.close(run_dir.lock(claimed))  # The server will hold it.
    if claimed.parent == run_dir.RUNS.resolve():
        run_dir.point_latest(claimed)
    return claimed
