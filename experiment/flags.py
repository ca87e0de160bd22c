"""Flags that several mains share: each is defined, and explained, once.

A main calls the functions for the flags it reads, so `--help` shows just those,
and a flag that would be ignored is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, TypeVar

from absl import flags

from experiment import learner_device, manifest, run_dir
from experiment.errors import ConfigurationError, check_number
from experiment.learner_device import LearnerDevice
from experiment.presets import DEFAULT_PRESET

# The flags belong to the main that asks for them: its --help shows them.
flags.disclaim_key_flags()

_T = TypeVar("_T")

DEFAULT_NUM_ACTORS = 2


def define_is_restart() -> flags.FlagHolder[bool]:
    """`--is_restart`, of those whose random numbers matter."""
    return flags.DEFINE_boolean(
        "is_restart",
        False,
        "It takes the place of one that has ended, and draws other random numbers.",
    )


def define_server_address() -> flags.FlagHolder[str | None]:
    """`--server_address`."""
    return flags.DEFINE_string(
        "server_address", None, "host:port of the run's Reverb server."
    )


def define_root_dir(default_text: str) -> flags.FlagHolder[str | None]:
    """`--root_dir`."""
    return flags.DEFINE_string(
        "root_dir", None, f"Folder of the run's results; {default_text}."
    )


def define_gin() -> tuple[flags.FlagHolder[str | None], flags.FlagHolder[list[str]]]:
    """`--gin_file` and `--gin_bindings`."""
    return (
        flags.DEFINE_string(
            "gin_file",
            None,
            "What is learned: a gin file, or the name of a preset in configs/; "
            f"default: {DEFAULT_PRESET}.",
        ),
        define_gin_bindings(),
    )


def define_gin_bindings() -> flags.FlagHolder[list[str]]:
    """`--gin_bindings`."""
    return flags.DEFINE_multi_string(
        "gin_bindings",
        [],
        "One value that wins over the gin file, e.g. "
        "--gin_bindings='Replay.batch_size = 128'. May be repeated.",
    )


def define_seed() -> flags.FlagHolder[int | None]:
    """`--seed`."""
    return flags.DEFINE_integer(
        "seed",
        None,
        "Seed of weights, exploration and environments; default: "
        f"{manifest.DEFAULT_SEED}.",
        lower_bound=0,
    )


def define_num_actors() -> flags.FlagHolder[int]:
    """`--num_actors`."""
    return flags.DEFINE_integer(
        "num_actors", DEFAULT_NUM_ACTORS, "Actor processes of the run."
    )


def define_num_replay_servers() -> flags.FlagHolder[int | None]:
    """`--num_replay_servers`."""
    return flags.DEFINE_integer(
        "num_replay_servers",
        None,
        "Servers that the replay is spread over; default: one, or those of the run "
        "that is resumed.",
    )


def define_max_train_steps() -> flags.FlagHolder[int | None]:
    """`--max_train_steps`."""
    return flags.DEFINE_integer(
        "max_train_steps",
        None,
        "Gradient steps after which the run ends; default: the preset's.",
    )


def define_learner_device() -> Callable[[], LearnerDevice]:
    """`--learner_device`, `--require_gpu`, `--learner_gpus`: what reads all three."""
    kind = flags.DEFINE_enum(
        "learner_device",
        learner_device.AUTO,
        learner_device.KINDS,
        "What the learner trains on: auto is a GPU if TensorFlow sees one.",
    )
    require_gpu = flags.DEFINE_boolean(
        "require_gpu", False, "End at once if there is no GPU, as --learner_device=gpu."
    )
    gpus = flags.DEFINE_integer(
        "learner_gpus",
        None,
        "GPUs that train together, which then are required; default: one.",
    )
    return lambda: LearnerDevice.of_flags(kind.value, require_gpu.value, gpus.value)


def define_target_return() -> flags.FlagHolder[float | None]:
    """`--target_return`."""
    return flags.DEFINE_float(
        "target_return",
        None,
        "Average return at which the run ends; default: the preset's.",
    )


def define_actors_elsewhere() -> flags.FlagHolder[int]:
    """`--actors_elsewhere`."""
    return flags.DEFINE_integer(
        "actors_elsewhere",
        0,
        "Of --num_actors, so many are started on other hosts, by whoever wants to: "
        "those with the highest numbers.",
    )


def define_resume() -> flags.FlagHolder[bool]:
    """`--resume`."""
    return flags.DEFINE_boolean(
        "resume", False, "Go on with the run in --root_dir from its last checkpoint."
    )


def define_discard_replay() -> flags.FlagHolder[bool]:
    """`--discard_replay`."""
    return flags.DEFINE_boolean(
        "discard_replay",
        False,
        "With --resume: begin with an empty replay table, whatever was stored of it.",
    )


def define_metrics() -> tuple[
    flags.FlagHolder[int | None], flags.FlagHolder[str | None]
]:
    """`--metrics_port` and `--metrics_host`."""
    return (
        flags.DEFINE_integer(
            "metrics_port",
            None,
            "Port at which Prometheus finds the figures of the run; default: none.",
        ),
        flags.DEFINE_string(
            "metrics_host",
            None,
            "Address of this machine to serve them at, 0.0.0.0 for all; default: "
            "127.0.0.1.",
        ),
    )


def check_num_actors(value: int) -> None:
    """Refuses fewer than one actor with a `ConfigurationError`."""
    check_number("--num_actors", value, at_least=1, integer=True)


def check_num_replay_servers(value: int | None) -> None:
    """Refuses fewer than one server with a `ConfigurationError`."""
    if value is not None:
        check_number("--num_replay_servers", value, at_least=1, integer=True)


def check_max_train_steps(value: int | None) -> None:
    """Refuses no step at all with a `ConfigurationError`."""
    if value is not None:
        check_number("--max_train_steps", value, at_least=1, integer=True)


def check_target_return(value: float | None) -> None:
    """Refuses what no return can reach with a `ConfigurationError`."""
    if value is not None:
        check_number("--target_return", value)


def given_folder(root_dir: flags.FlagHolder[str | None]) -> Path | None:
    """The folder of a flag that may be left out, ready to be written to.

    Raises:
      ConfigurationError: It is empty, or cannot be written to.
    """
    if root_dir.value is None:
        return None
    folder = Path(required(root_dir, "runs/my_run"))
    run_dir.require_writable(folder)
    return folder


def required(flag: flags.FlagHolder[_T | None], example: str) -> _T:
    """Returns the value of a flag that must be given.

    Raises:
      ConfigurationError: It was not.
    """
    if flag.value is None or flag.value == "":
        raise ConfigurationError(
            f"--{flag.name} is required, e.g. --{flag.name}={example}."
        )
    return flag.value


def check_actors_elsewhere(value: int, num_actors: int) -> None:
    """Refuses more than there are with a `ConfigurationError`."""
    check_number(
        "--actors_elsewhere", value, at_least=0, at_most=num_actors, integer=True
    )
