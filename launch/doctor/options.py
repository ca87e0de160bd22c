"""The flags of the doctor. They are argparse's: absl may be missing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from experiment import learner_device
from experiment.presets import DEFAULT_PRESET


class Options(NamedTuple):
    """See the flags of the same names."""

    server_address: str | None
    gin_file: str
    num_actors: int | None
    root_dir: str | None
    port: int | None
    no_benchmark: bool
    learner_device: str
    require_gpu: bool
    learner_gpus: int | None


def parser() -> argparse.ArgumentParser:
    """Knows the flags; ends the process with exit code 2 if one is wrong."""
    made = argparse.ArgumentParser(
        prog="python -m launch.doctor",
        description="Checks whether this machine can run Antiphon.",
        allow_abbrev=False,
    )
    made.add_argument(
        "--server_address",
        metavar="HOST:PORT",
        help="A run's Reverb server to look at too.",
    )
    made.add_argument(
        "--gin_file",
        default=DEFAULT_PRESET,
        help=f"What is to be learned, as for the launcher; default: {DEFAULT_PRESET}.",
    )
    made.add_argument("--num_actors", type=_positive, help="Default: the launcher's.")
    made.add_argument("--root_dir", type=_not_empty, help="Default: one in runs/.")
    made.add_argument("--port", type=int, help="Of the server; default: a free one.")
    made.add_argument(
        "--no_benchmark", action="store_true", help="Do not measure the speed."
    )
    made.add_argument(
        "--learner_device",
        choices=learner_device.KINDS,
        default=learner_device.AUTO,
        help="As for the launcher.",
    )
    made.add_argument(
        "--require_gpu", action="store_true", help="A run without a GPU will fail."
    )
    made.add_argument("--learner_gpus", type=_positive, help="As for the launcher.")
    return made


def read(arguments: Sequence[str]) -> Options:
    """Reads the flags."""
    return Options(**vars(parser().parse_args(arguments)))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number >= 1")
    return number


def _not_empty(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("it is empty; name a folder")
    return text
