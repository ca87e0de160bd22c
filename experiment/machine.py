"""What a run was made on: machine, Python, packages, the code's commit."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import socket
import subprocess
from pathlib import Path

import psutil

PACKAGES = ("tensorflow", "tf-agents", "dm-reverb", "gym", "envpool", "numpy")

_GIT_TIMEOUT_S = 5


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
