"""What a run was made on: machine, Python, packages, the code's commit.

By the standard library alone: the doctor asks before anything is known to be installed.
"""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import subprocess
from pathlib import Path

from experiment import requirements

PACKAGES = ("tensorflow", "tf-agents", "dm-reverb", "gym", "envpool", "numpy")

# What tells one code from another, of all that is described.
VERSIONS = ("antiphon", "commit", "python", *PACKAGES)

_CHECKOUT = Path(__file__).resolve().parents[1]

_GIT_TIMEOUT_S = 5


def describe() -> dict[str, str]:
    """Of this machine, for people; what is not known or not installed is left out."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    described = {
        "antiphon": requirements.version("antiphon"),
        "commit": _commit(),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / 2**30:.1f} GiB",
        "python": platform.python_version(),
        **{name: requirements.version(name) for name in PACKAGES},
    }
    return {name: value for name, value in described.items() if value}


def processor() -> str:
    """Its model's name, as Linux has it."""
    return cpuinfo("model name") or platform.machine()


def cpuinfo(key: str) -> str:
    """A line of the first processor in the kernel's list; empty if there is none."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return ""


def _commit() -> str:
    """Of this checkout, marked if it was changed since; empty if it is none.

    Git is told where its folder is, or it would take that of a checkout around this.
    """
    command = ["git", "--git-dir=.git", "--work-tree=.", "describe"]
    command += ["--always", "--dirty", "--abbrev=12", "--exclude=*"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            command,
            cwd=_CHECKOUT,
            capture_output=True,
            text=True,
            check=True,
            timeout=_GIT_TIMEOUT_S,
        ).stdout.strip()
    return ""
