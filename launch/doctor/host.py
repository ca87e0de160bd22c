"""The machine and its Python, by the standard library alone."""

from __future__ import annotations

import os
import platform
import sys

from experiment import machine, requirements
from experiment.errors import ConfigurationError
from launch.doctor.finding import FAIL, OK, WARN, Finding

_PYTHON_REMEDY = (
    "install Python 3.10, name it in ANTIPHON_PYTHON if it is not on PATH, and run "
    "launch/setup.sh"
)

# That TensorFlow's and Reverb's wheels are built for (manylinux2014).
_GLIBC = (2, 17)

# Runnable processes a core above which figures are not to be trusted.
_BUSY = 2.0


def python() -> Finding:
    """Its version, and that it is one that there are wheels for."""
    found = f"{platform.python_version()}, {sys.executable}"
    try:
        requirements.check_machine()
    except ConfigurationError as error:
        return Finding(FAIL, "python", str(error).rstrip("."), _PYTHON_REMEDY)
    if platform.python_implementation() != "CPython" or sys.maxsize < 2**32:
        text = f"{found} is not a 64-bit CPython, which the wheels are for"
        return Finding(FAIL, "python", text, _PYTHON_REMEDY)
    if sys.version_info[:2] == (3, 11):
        text = f"{found}: TensorFlow 2.15 leaks memory on 3.11, which adds up in days"
        return Finding(WARN, "python", text, _PYTHON_REMEDY)
    return Finding(OK, "python", found)


def system() -> Finding:
    """The C library, which the wheels need."""
    library, version = platform.libc_ver()
    found = (
        f"{platform.system()} {platform.release()}, {library or 'no glibc'} {version}"
    )
    numbers = tuple(int(part) for part in version.split(".") if part.isdecimal())
    if library != "glibc" or numbers < _GLIBC:
        return Finding(
            FAIL,
            "system",
            f"{found}: the wheels need glibc 2.17 or later",
            "use another system, e.g. a container of Debian or Ubuntu",
        )
    return Finding(OK, "system", found)


def processor() -> Finding:
    """Its instructions, which TensorFlow is built for, its cores, and who uses them."""
    described = machine.processor()
    if "avx" not in machine.cpuinfo("flags").split():
        return Finding(
            FAIL,
            "processor",
            f"{described} has no AVX instructions, so importing TensorFlow would end "
            "the process",
            "use another machine, or let the virtual machine pass them on",
        )
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    found = f"{described}, {cores} of {os.cpu_count()} cores, load average {load:.1f}"
    if load > _BUSY * cores:
        remedy = "all figures will be low: see what else runs, e.g. by top"
        return Finding(WARN, "processor", found, remedy)
    return Finding(OK, "processor", found)


def init() -> Finding:
    """Whether somebody reaps and signals processes, which a bare container lacks."""
    if os.getpid() == 1:
        return Finding(
            WARN,
            "init",
            "this is process 1: signals may be ignored, and Reverb takes processes of "
            "the same number in two containers for one, and crashes",
            "start the container with an init, e.g. `docker run --init`",
        )
    return Finding(OK, "init", "there is one")
