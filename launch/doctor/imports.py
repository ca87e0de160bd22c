"""Whether the big packages can be imported, one after another, as each role does."""

from __future__ import annotations

import functools
import importlib
import time

from experiment import requirements
from launch.doctor.finding import FAIL, OK, SET_UP, WARN, Check, Finding

# Packages, and the module of each that imports all of it.
_MODULES = {
    "gym": "gym",
    "tensorflow": "tensorflow",
    "dm-reverb": "reverb",
    "tf-agents": "tf_agents",
    "antiphon": "launch.doctor.preset",
}

# Of each group, each builds on those before: Reverb is linked with TensorFlow. One
# that ends the process comes late.
_GROUPS = (("gym",), ("tensorflow", "dm-reverb", "tf-agents"))

# Seconds that each process of a run would wait at its start.
_SLOW_S = 15

# Parts of errors, and what is behind them.
_CAUSES = {
    "undefined symbol": "its binary part is made for another release of TensorFlow",
    "GLIBC": "the system's C library is too old for it",
    "numpy": "its binary part is made for another NumPy",
}


def groups() -> list[list[Check]]:
    """One check for each package; a failed one is the end of its group."""
    return [
        [
            Check(package, functools.partial(check, package), (package,))
            for package in group
        ]
        for group in _GROUPS
    ]


def check(package: str) -> Finding:
    """Imports a package for the first time."""
    version = requirements.version(package)
    start = time.monotonic()
    try:
        importlib.import_module(_MODULES[package])
    except Exception as error:  # noqa: BLE001  (a broken package raises anything)
        reason = " ".join(str(error).split()) or type(error).__name__
        causes = [f" ({why})" for part, why in _CAUSES.items() if part in reason]
        text = f"{version or 'it'} cannot be imported: {reason}{''.join(causes[:1])}"
        return Finding(FAIL, package, text, f"remove .venv, {SET_UP}")
    seconds = time.monotonic() - start
    found = f"{version}, imported in {seconds:.1f} s"
    if seconds > _SLOW_S:
        remedy = "put .venv on a local disk, and see what else runs on this machine"
        return Finding(WARN, package, found, remedy)
    return Finding(OK, package, found)
