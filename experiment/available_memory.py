"""The memory that new processes can have here, in a container or a job too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil


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
