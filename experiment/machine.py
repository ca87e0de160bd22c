"""The machine of a run: what it is, what is installed, what memory it has left."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

PACKAGES = ("tensorflow", "tf-agents", "dm-reverb", "gym", "envpool", "numpy")

_GIT_TIMEOUT_S = 5


class _GroupFiles(NamedTuple):
    """Files of a control group about memory, in bytes.

    Attributes:
      limit: What its processes may use.
      usage: What they do use.
      cache: Which line of `memory.stat` tells what of that the kernel gives back.
    """

    limit: str
    usage: str
    cache: str


# The control groups of this process, and where their files are: by the name of their
# controller, which those of version 2 have not.
_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_GROUP_FILES = {
    "": _GroupFiles("memory.max", "memory.current", "inactive_file"),
    "memory": _GroupFiles(
        "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
    ),
}


def describe() -> dict[str, str]:
    """Of this machine, for people; packages that are not installed are left out."""
    described = {
        "antiphon": _commit(),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "python": platform.python_version(),
    }
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            described[name] = importlib.metadata.version(name)
    return described


def available_bytes() -> int:
    """Memory that new processes can have here, in a container or a job too."""
    return min([psutil.virtual_memory().available, *_left_by_groups()])


def _left_by_groups() -> Iterator[int]:
    """What the limits of the control groups leave that this process is in."""
    with contextlib.suppress(OSError):  # A kernel without control groups.
        for line in _OWN_GROUPS.read_text().splitlines():
            _, controller, path = line.split(":", 2)
            if controller in _GROUP_FILES:
                # In a container, the outermost may be all that is to be seen.
                group = Path(path.lstrip("/"))
                for each in (group, *group.parents):
                    folder = _GROUPS / controller / each
                    yield from _left_by(folder, _GROUP_FILES[controller])


def _left_by(folder: Path, files: _GroupFiles) -> Iterator[int]:
    """What the limit of one control group leaves, if it has one."""
    with contextlib.suppress(OSError, ValueError):  # It is "max" without a limit.
        limit = int((folder / files.limit).read_text())
        usage = int((folder / files.usage).read_text())
        lines = (folder / "memory.stat").read_text().splitlines()
        cache = dict(line.split() for line in lines)[files.cache]
        yield limit - (usage - int(cache))


def _commit() -> str:
    """Of this checkout, marked if it was changed since; else the version."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--tags"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            command,
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=_GIT_TIMEOUT_S,
        ).stdout.strip()
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("antiphon")
    return "unknown"


def _processor() -> str:
    """Its model's name, as Linux has it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
