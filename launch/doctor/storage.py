"""Room for what a run writes, and for its processes."""

from __future__ import annotations

import fcntl
import resource
import shutil
import tempfile
from pathlib import Path

from experiment import run_dir
from experiment.flags import DEFAULT_NUM_ACTORS
from launch import memory
from launch.doctor.finding import FAIL, OK, WARN, Finding
from launch.doctor.options import Options

# Below, nothing can be expected to work.
_LEAST_BYTES = 100_000_000

# Open files that the server needs for itself and for each process that connects; and
# threads of a process, most of which wait.
_FILES, _FILES_EACH = 128, 16
_THREADS_EACH = 64


def num_actors(options: Options) -> int:
    """As asked for, or the launcher's default."""
    return options.num_actors or DEFAULT_NUM_ACTORS


def folder(options: Options) -> Finding:
    """Whether a run could write its folder, and lock it."""
    root_dir = _root_dir(options)
    place = _existing(root_dir)
    remedy = "name another folder by --root_dir"
    if not place.is_dir():
        return Finding(FAIL, "root_dir", f"{place} is no folder", remedy)
    try:
        with tempfile.TemporaryFile(dir=place) as probe:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
            probe.write(b"1")
    except OSError as error:
        text = f"{place} cannot be written and locked ({error.strerror})"
        return Finding(FAIL, "root_dir", text, remedy)
    return Finding(OK, "root_dir", f"{root_dir} can be written")


def disk(options: Options, run_bytes: float) -> Finding:
    """Whether what a run stores fits.

    Args:
      options: Say where.
      run_bytes: What it stores, at most.
    """
    place = _existing(_root_dir(options))
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:.1f} GB free in {place}"
    needs = f"a run of this preset may store {run_bytes / 1e9:.1f} GB"
    remedy = "make space, or name a folder on another disk by --root_dir"
    if free < _LEAST_BYTES:
        return Finding(FAIL, "disk", f"{found}: it is full", remedy)
    if free < run_bytes:
        return Finding(WARN, "disk", f"{found}, but {needs}", remedy)
    return Finding(OK, "disk", f"{found}; {needs}")


def limits(options: Options) -> Finding:
    """Open files and threads that one user may have."""
    processes = num_actors(options) + memory.OTHERS
    wanted = {
        "open files (ulimit -n)": (
            resource.RLIMIT_NOFILE,
            _FILES + _FILES_EACH * processes,
        ),
        "threads (ulimit -u)": (resource.RLIMIT_NPROC, _THREADS_EACH * processes),
    }
    found = {name: resource.getrlimit(kind)[0] for name, (kind, _) in wanted.items()}
    low = [
        f"{found[name]} {name}, but {processes} processes may need {most}"
        for name, (_, most) in wanted.items()
        if found[name] != resource.RLIM_INFINITY and found[name] < most
    ]
    if low:
        remedy = "raise the limit in this shell by that command, or start fewer actors"
        return Finding(WARN, "limits", "; ".join(low), remedy)
    shown = [
        f"{'any number of' if value == resource.RLIM_INFINITY else value} {name}"
        for name, value in found.items()
    ]
    return Finding(OK, "limits", ", ".join(shown))


def _root_dir(options: Options) -> Path:
    return Path(options.root_dir or run_dir.RUNS).expanduser().absolute()


def _existing(path: Path) -> Path:
    """The path, or the folder next above it that exists."""
    return next(each for each in (path, *path.parents) if each.exists())
