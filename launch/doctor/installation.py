"""What is installed in the Python that runs here, without importing any of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from experiment import requirements
from experiment.errors import ConfigurationError
from launch.doctor.finding import FAIL, OK, SET_UP, WARN, Finding

_CHECKOUT = Path(__file__).resolve().parents[2]
_VENV = _CHECKOUT / ".venv"

# Of a set-up, on disk (README.md).
_SET_UP_BYTES = 2e9

# Packages named at most.
_NAMED = 4

_FFMPEG_TIMEOUT_S = 10


def environment() -> Finding:
    """Whether it is the virtual environment of this checkout, and whole."""
    stamp = _VENV / "antiphon.stamp"  # By launch/setup.sh, which says what is in it.
    used = Path(sys.prefix)
    if used == _VENV and stamp.exists():
        stamped = stamp.read_text().splitlines()
        if stamped[0] == "unfinished":
            text = f"the set-up of {used} did not come to its end"
            return Finding(FAIL, "environment", text, SET_UP)
        if stamped[-1] != str(_CHECKOUT):
            text = f"{used} was made in {stamped[-1]}, and names that place in it"
            return Finding(WARN, "environment", text, SET_UP)
    if sys.prefix == sys.base_prefix:
        text = f"{used} is no virtual environment"
        return Finding(WARN, "environment", text, SET_UP)
    return Finding(OK, "environment", str(used))


def set_up_space() -> Finding:
    """Room for `.venv`, if it is still to be made."""
    free = shutil.disk_usage(_CHECKOUT).free
    if _VENV.exists() or free > _SET_UP_BYTES:
        return Finding(OK, "checkout", f"{_CHECKOUT}, {free / 1e9:.1f} GB free")
    return Finding(
        FAIL,
        "checkout",
        f"{_CHECKOUT} has {free / 1e9:.1f} GB free, and .venv needs 2 GB",
        "make space",
    )


def variables() -> Finding:
    """Variables of the environment that break a package, or may."""
    if os.environ.get("TF_USE_LEGACY_KERAS") in ("1", "True", "true"):
        return Finding(
            FAIL,
            "variables",
            "TF_USE_LEGACY_KERAS is set, so TensorFlow 2.15 looks for a Keras that is "
            "not installed",
            "unset TF_USE_LEGACY_KERAS",
        )
    if os.environ.get("PYTHONPATH"):
        return Finding(
            WARN,
            "variables",
            f"PYTHONPATH is {os.environ['PYTHONPATH']}: what is there takes the place "
            "of installed packages",
            "unset PYTHONPATH, unless your own modules are there",
        )
    return Finding(OK, "variables", "none that does harm")


def packages() -> Finding:
    """The releases that fit together, and the versions that were tested together."""
    try:
        requirements.check_packages()
    except ConfigurationError as error:
        return Finding(FAIL, "packages", str(error))
    lock = _CHECKOUT / "requirements.lock"
    if not lock.exists():
        return Finding(
            OK, "packages", "they fit; there is no lock file to compare with"
        )
    wrong = _differences(lock.read_text())
    if wrong:
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        text = f"not as in requirements.lock: {', '.join(wrong[:_NAMED])}{more}"
        return Finding(WARN, "packages", text, SET_UP)
    return Finding(OK, "packages", "all as in requirements.lock")


def _differences(lock: str) -> list[str]:
    """Packages that are missing, or whose version was not tested."""
    locked: dict[str, list[str]] = {}
    needed = set()
    for name, version, marker in re.findall(
        r"^([\w.-]+)==([\w.]+)( ;)?", lock, re.MULTILINE
    ):
        locked.setdefault(name, []).append(version)
        if not marker:  # Else it is for some Pythons only.
            needed.add(name)
    found = {name: requirements.version(name) for name in locked}
    return [
        f"{name} {found[name] or 'is missing'} ({' or '.join(versions)})"
        for name, versions in locked.items()
        if found[name] not in versions and (found[name] or name in needed)
    ]


def ffmpeg() -> Finding:
    """Whether videos can be written."""
    import imageio_ffmpeg  # noqa: PLC0415  (it may be missing)

    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
        done = subprocess.run(
            [program, "-version"],
            capture_output=True,
            text=True,
            timeout=_FFMPEG_TIMEOUT_S,
            check=True,
        )
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        text = f"cannot be run ({error}), so there will be no videos"
        remedy = "unset IMAGEIO_FFMPEG_EXE, or run launch/setup.sh"
        return Finding(WARN, "ffmpeg", text, remedy)
    return Finding(OK, "ffmpeg", done.stdout.partition(" Copyright")[0])
